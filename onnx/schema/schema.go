package schema

import (
	"iter"
	"math"
	"slices"
	"sort"
	"strings"
)

// Unlimited is the MaxIn or MaxOut of an operator whose last input or output
// may be repeated without limit.
const Unlimited = math.MaxInt32

// Schema is one version of an operator.
type Schema struct {
	// Domain is "" for ai.onnx.
	Domain string
	Name   string
	// Since is the first opset of the domain that has this version.
	Since int

	Deprecated       bool
	Experimental     bool
	NonDeterministic bool // two runs may differ, as those of RandomNormal do

	// Function says that there are fixed bodies, ContextFunction that a body
	// can be made from the node and the types of its inputs.
	Function        bool
	ContextFunction bool

	// The numbers of inputs and outputs that a node may have; Unlimited where
	// the last one is variadic.
	MinIn, MaxIn   int
	MinOut, MaxOut int

	Inputs, Outputs []Param
	Attributes      []Attribute // sorted by name
	Types           []TypeConstraint

	// Bodies are the fixed bodies, oldest first: see Body.
	Bodies []Body
	// ContextBodies are the opsets from which each form of the body that
	// depends on the node holds, oldest first.
	ContextBodies []int
}

// Option says how often a Param stands.
type Option uint8

// Options of a Param.
const (
	Single   Option = iota // exactly once
	Optional               // it may be missing
	Variadic               // it stands last and may be repeated
)

// Diff says whether the standard marks a Param as differentiable.
type Diff uint8

// Marks of a Param.
const (
	DiffUnknown Diff = iota // no mark
	DiffYes
	DiffNo
)

// Param is an input or an output of an operator.
type Param struct {
	Name string
	// Type is the name of a TypeConstraint or a type such as "tensor(int64)".
	Type   string
	Option Option
	// Homogeneous says, where Option is Variadic, that all have one type.
	Homogeneous bool
	// MinArity is how often the Param stands at least where Option is Variadic.
	MinArity int
	Diff     Diff
}

// Kind is the kind of an attribute, with the numbers of
// AttributeProto.AttributeType.
type Kind int32

// Kinds of attribute.
const (
	Float         Kind = 1
	Int           Kind = 2
	String        Kind = 3
	Tensor        Kind = 4
	Graph         Kind = 5
	Floats        Kind = 6
	Ints          Kind = 7
	Strings       Kind = 8
	Tensors       Kind = 9
	Graphs        Kind = 10
	SparseTensor  Kind = 11
	SparseTensors Kind = 12
	TypeProto     Kind = 13
	TypeProtos    Kind = 14
)

// Attribute is an attribute of an operator. Where HasDefault is true the field
// that Kind says has the default; in this release no other kind than the six
// below has one.
type Attribute struct {
	Name       string
	Kind       Kind
	Required   bool
	HasDefault bool

	I       int64
	F       float32
	S       string
	Ints    []int64
	Floats  []float32
	Strings []string
}

// TypeConstraint names the types that the Params of that Type may have; all
// have the same one in one node, a heterogeneous variadic Param excepted.
type TypeConstraint struct {
	Name  string
	Types TypeSet
}

// TypeSet is a sorted list of types in the spelling of the standard without
// spaces, as "tensor(float)", "seq(tensor(int64))" or
// "map(string,tensor(float))".
type TypeSet []string

// Allows reports whether the set has the type.
func (s TypeSet) Allows(typeString string) bool {
	_, ok := slices.BinarySearch(s, typeString)
	return ok
}

// Body is a fixed body of an operator: a serialised FunctionProto that holds
// for models from Opset on, up to the next one. Opset, which the body imports,
// may be older than the version of the operator: the body of Elu 22 is written
// in the operators of 18.
type Body struct {
	Opset int
	Proto string
}

// Body returns the serialised FunctionProto that defines the operator in a
// model of the opset; ok is false when there is none, because the operator has
// no fixed body or has one for newer models only.
func (s *Schema) Body(opset int) (functionProto []byte, ok bool) {
	for _, b := range slices.Backward(s.Bodies) {
		if b.Opset <= opset {
			return []byte(b.Proto), true
		}
	}
	return nil, false
}

// Attribute returns the attribute of that name, nil when there is none.
func (s *Schema) Attribute(name string) *Attribute {
	i := sort.Search(len(s.Attributes), func(i int) bool { return s.Attributes[i].Name >= name })
	if i == len(s.Attributes) || s.Attributes[i].Name != name {
		return nil
	}
	return &s.Attributes[i]
}

// Constraint returns the types that a Param's Type stands for: those of the
// constraint of that name or, where there is none, the type itself.
func (s *Schema) Constraint(typ string) TypeSet {
	for i := range s.Types {
		if s.Types[i].Name == typ {
			return s.Types[i].Types
		}
	}
	return TypeSet{typ}
}

// Input returns the Param of input i of a node, the last one where it is
// variadic; nil when the operator has no such input.
func (s *Schema) Input(i int) *Param { return at(s.Inputs, i) }

// Output returns the Param of output i of a node, the last one where it is
// variadic; nil when the operator has no such output.
func (s *Schema) Output(i int) *Param { return at(s.Outputs, i) }

func at(params []Param, i int) *Param {
	last := len(params) - 1
	if i > last && last >= 0 && params[last].Option == Variadic {
		i = last
	}
	if i < 0 || i > last {
		return nil
	}
	return &params[i]
}

// Differentiable reports whether the standard marks any input or output.
func (s *Schema) Differentiable() bool {
	yes := func(p Param) bool { return p.Diff == DiffYes }
	return slices.ContainsFunc(s.Inputs, yes) || slices.ContainsFunc(s.Outputs, yes)
}

// Lookup returns the newest version of an operator that models of the opset
// may use; ok is false when the opset has none.
func Lookup(domain, name string, opset int) (s *Schema, ok bool) {
	for _, s := range slices.Backward(Versions(domain, name)) {
		if s.Since <= opset {
			return s, true
		}
	}
	return nil, false
}

// Newest returns the newest version of an operator.
func Newest(domain, name string) (s *Schema, ok bool) { return Lookup(domain, name, math.MaxInt) }

// Versions lists the versions of an operator, oldest first; none when the
// standard has no such operator.
func Versions(domain, name string) []*Schema {
	domain = canonical(domain)
	first := search(domain, name)
	last := first
	for last < len(table) && table[last].Domain == domain && table[last].Name == name {
		last++
	}
	return table[first:last:last]
}

// search is the index of the first entry of the table that does not lie
// before the operator.
func search(domain, name string) int {
	return sort.Search(len(table), func(i int) bool {
		s := table[i]
		if c := strings.Compare(s.Domain, domain); c != 0 {
			return c > 0
		}
		return s.Name >= name
	})
}

// All yields every version of every operator, sorted by domain, name and opset.
func All() iter.Seq[*Schema] { return slices.Values(table) }

// Names yields the names of the operators of a domain, sorted, those included
// that newer opsets no longer have.
func Names(domain string) iter.Seq[string] {
	domain = canonical(domain)
	return func(yield func(string) bool) {
		name := ""
		for _, s := range table[search(domain, ""):] {
			if s.Domain != domain {
				return
			}
			if s.Name != name && !yield(s.Name) {
				return
			}
			name = s.Name
		}
	}
}

// Domains yields the domains of the standard, sorted; ai.onnx is "".
func Domains() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, d := range domains {
			if !yield(d.name) {
				return
			}
		}
	}
}

// domain is a domain of the standard with its newest opset.
type domain struct {
	name  string
	opset int
}

// MaxOpset returns the newest opset of a domain; 0 when it is not one of the
// standard.
func MaxOpset(domain string) int {
	domain = canonical(domain)
	for _, d := range domains {
		if d.name == domain {
			return d.opset
		}
	}
	return 0
}

// MinIR returns the version of the file format of the first release that had
// the opset of ai.onnx: a file of that opset needs no older one. It is 3 below
// opset 1 and IRVersion above the newest opset.
func MinIR(opset int) int {
	switch {
	case opset < 1:
		return irVersions[0]
	case opset > len(irVersions):
		return IRVersion
	}
	return irVersions[opset-1]
}

func canonical(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}
