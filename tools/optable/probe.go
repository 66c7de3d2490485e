package main

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// leading is the parameter whose types stand for the operator's: its first input or, where it has none, its first output.
func leading(s *schema.Schema) *schema.Param {
	if p := s.Input(0); p != nil {
		return p
	}
	return s.Output(0)
}

// typesOf lists the types of the leading parameter that the standard allows, and those of them that compile here.
func typesOf(d *opdef.Def, s *schema.Schema) (have, want []string) {
	p := leading(s)
	if p == nil {
		return nil, nil
	}
	want = s.Constraint(p.Type)
	for _, t := range want {
		if d == nil || d.Compile == nil || compiles(d, s, p.Type, t) {
			have = append(have, t)
		}
	}
	return have, want
}

// compiles asks the definition for a kernel for a node of which every parameter of the given constraint has the type. An
// error of another kind than unsupported is about the node, which is the smallest that the schema allows, and not about the
// type.
func compiles(d *opdef.Def, s *schema.Schema, constraint, typ string) (ok bool) {
	for _, a := range s.Attributes {
		if a.Required && a.Kind == schema.Graph {
			return true // what a body does is the body's affair
		}
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	n := smallest(s, constraint, typ)
	layouts := make([]opdef.Layout, max(n.NumIn(), n.NumOut()))
	_, err := d.Compile(&opdef.Compile{Node: n, InLayout: layouts, OutLayout: layouts, Generic: true})
	return !errors.Is(err, errors.ErrUnsupported)
}

// smallest is a node with the inputs, outputs and attributes that the schema requires.
func smallest(s *schema.Schema, constraint, typ string) *onnx.Node {
	g := onnx.NewGraph("probe", nil)
	g.SetOpset(s.Domain, schema.MaxOpset(s.Domain))
	var ins []*onnx.Value
	for i := range max(s.MinIn, min(1, s.MaxIn)) {
		ins = append(ins, g.Input("x", typeFor(s, s.Input(i), constraint, typ)))
	}
	n := g.Add(s.Domain, s.Name, max(s.MinOut, 1), ins)
	for i, v := range n.Outputs() {
		v.Type = typeFor(s, s.Output(i), constraint, typ)
	}
	for i := range s.Attributes {
		if a := &s.Attributes[i]; a.Required {
			n.SetAttr(attributeFor(a))
		}
	}
	return n
}

// typeFor is the type of a parameter: typ where the constraint says so, else a common one that the schema allows.
func typeFor(s *schema.Schema, p *schema.Param, constraint, typ string) onnx.Type {
	if p == nil {
		return onnx.Type{}
	}
	if p.Type == constraint {
		return parseType(typ)
	}
	allowed := s.Constraint(p.Type)
	for _, t := range []string{"tensor(float)", "tensor(int64)", "tensor(uint8)"} {
		if slices.Contains(allowed, t) {
			return parseType(t)
		}
	}
	return parseType(allowed[0])
}

// parseType reads a type of a schema; tensors have rank 4.
func parseType(s string) onnx.Type {
	kind, rest, _ := strings.Cut(strings.TrimSuffix(s, ")"), "(")
	switch kind {
	case "seq":
		return onnx.SequenceOf(parseType(rest))
	case "optional":
		return onnx.OptionalOf(parseType(rest))
	case "map":
		key, value, _ := strings.Cut(rest, ",")
		k, _ := onnx.ParseElemType(key)
		return onnx.MapOf(k, parseType(value))
	}
	e, _ := onnx.ParseElemType(rest)
	return onnx.TensorOf(e, onnx.Unknown, onnx.Unknown, onnx.Unknown, onnx.Unknown)
}

// attributeFor gives a required attribute a value.
func attributeFor(a *schema.Attribute) onnx.Attribute {
	at := onnx.Attribute{Name: a.Name, Kind: onnx.AttrKind(a.Kind), I: 1, F: 1, Ints: []int64{1}, Floats: []float32{1}, Strings: []string{"x"}}
	if a.Kind == schema.Tensor {
		at.T = onnx.Vector[float32](1)
	}
	return at
}

// Answers to how an operator is run and differentiated.
const (
	kernel  = "kernel"
	body    = "body"
	pass    = "pass"
	no      = "-"
	yes     = "yes"
	zero    = "zero"
	refused = "none"
)

// implementation says how the operator is run.
func implementation(d *opdef.Def, s *schema.Schema) string {
	switch {
	case d != nil && d.Compile != nil:
		return kernel
	case s.Function, d != nil && d.Body != nil:
		return body
	case d != nil:
		return pass
	}
	return no
}

// gradient says how the operator is differentiated.
func gradient(d *opdef.Def, s *schema.Schema) string {
	switch {
	case implementation(d, s) == no:
		return no
	case implementation(d, s) == pass:
		return body
	case d == nil || d.Grad == nil:
		if s.Function || d != nil && d.Body != nil {
			return body
		}
		return refused
	case same(d.Grad, opdef.ZeroGrad):
		return zero
	case same(d.Grad, opdef.NoGrad):
		return refused
	}
	return yes
}

func same(f, g func(*opdef.Grad) error) bool {
	return reflect.ValueOf(f).Pointer() == reflect.ValueOf(g).Pointer()
}
