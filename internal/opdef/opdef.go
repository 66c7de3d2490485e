// Package opdef says what an operator is: how its outputs' types follow from its inputs, how it is compiled into a step that
// runs, how it is differentiated, and how older forms of it are rewritten. It names no operator.
package opdef

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// Def is one operator in its newest form.
//
// Nil Infer, Compile or Grad means: through the standard's function body. An operator without a body must have Infer and
// Compile, and must say what its gradient is: ZeroGrad and NoGrad exist for the two common answers.
type Def struct {
	Type   string
	Domain string // "" is ai.onnx

	// Infer gives the outputs their types, shapes and, for small integer tensors, contents. It sees symbolic sizes while a
	// graph is built and sizes that are known when a plan is bound.
	Infer func(*Infer) error
	// Compile runs once per node and plan; no size is known yet.
	Compile func(*Compile) (Step, error)
	// Grad emits the nodes of the gradient.
	Grad func(*Grad) error
	// Upgrade rewrites a node of an older version to the newest form; nil: all versions have one form.
	Upgrade func(*Rewrite) error
	// Training rewrites the inference form to the training form.
	Training func(*Rewrite) error
	// Body replaces the node by the body that the standard gives the operator where that depends on attributes and types;
	// nil: the standard's body is fixed, or there is none.
	Body func(*Rewrite) error
	// Layouts says which inputs and outputs may be blocked; nil: none.
	Layouts func(*Layouts) Blocking
	// Widen rewrites attributes that name an element type so that the node computes in float64; nil: there are none.
	Widen func(*Rewrite) error
	// Schema stands in for the generated facts; private, com.microsoft and users' operators have it.
	Schema *schema.Schema
}

// Set is a collection of operators, on top of another one: a session's own operators stand on the built-in ones.
type Set struct {
	base *Set
	defs map[key]*Def
}

type key struct{ domain, opType string }

func keyOf(domain, opType string) key {
	if onnx.IsDefaultDomain(domain) {
		domain = ""
	}
	return key{domain, opType}
}

// NewSet makes a set of defs over base, which may be nil.
func NewSet(base *Set, defs ...*Def) *Set {
	s := &Set{base: base, defs: make(map[key]*Def, len(defs))}
	for _, d := range defs {
		s.defs[keyOf(d.Domain, d.Type)] = d
	}
	return s
}

// Find is the operator called opType of domain; nil when the set has none.
func (s *Set) Find(domain, opType string) *Def {
	for ; s != nil; s = s.base {
		if d := s.defs[keyOf(domain, opType)]; d != nil {
			return d
		}
	}
	return nil
}

// Domain lists the operators of a domain, sorted by name.
func (s *Set) Domain(domain string) []*Def {
	seen := map[string]*Def{}
	for ; s != nil; s = s.base {
		for k, d := range s.defs {
			if k.domain == domain && seen[k.opType] == nil {
				seen[k.opType] = d
			}
		}
	}
	return slices.SortedFunc(maps.Values(seen), func(a, b *Def) int { return strings.Compare(a.Type, b.Type) })
}

// Lookup is the operator of n, or an error of the unsupported kind.
func (s *Set) Lookup(n *onnx.Node) (*Def, error) {
	if d := s.Find(n.Domain, n.OpType); d != nil {
		return d, nil
	}
	return nil, onnx.Unsupportedf("operator %.128q is not supported", n.Operator())
}

// Facts are the facts of the version of d that opset means; opset 0 means the newest.
func (d *Def) Facts(opset int) (*schema.Schema, bool) {
	if d.Schema != nil {
		return d.Schema, true
	}
	if opset <= 0 {
		return schema.Newest(d.Domain, d.Type)
	}
	return schema.Lookup(d.Domain, d.Type, opset)
}

// Rewrite is the context of Upgrade, Training, Body and Widen: change Node in place, or replace it by nodes that the builder
// appends and call Replace. Input types are known.
type Rewrite struct {
	*onnx.Builder
	Node *onnx.Node
	// Version is the version of Node's schema: the Since of the newest version that the opset in force has.
	Version int
	// Variable reports whether v is an initializer that some plan overwrites, so that it must not be treated as a constant.
	Variable func(v *onnx.Value) bool
}

// Const is the contents of input i when it is an initializer that never changes; nil otherwise.
func (c *Rewrite) Const(i int) *onnx.Tensor {
	v := c.Node.In(i)
	if v == nil || v.Init == nil || v.IsInput() || c.Variable != nil && c.Variable(v) {
		return nil
	}
	return v.Init
}

// Replace makes the readers of Node's outputs read vs instead and removes Node. A nil entry leaves an output that must be
// unused.
func (c *Rewrite) Replace(vs ...*onnx.Value) {
	if c.Err() != nil {
		return
	}
	for i, v := range vs {
		if o := c.Node.Out(i); o != nil && v != nil {
			o.ReplaceUses(v)
		}
	}
	c.Node.Graph().Remove(c.Node)
}

// ErrNoGrad is the cause of the error for an operator without a gradient.
var ErrNoGrad = errors.New("operator has no gradient")

// NoGrad is the Grad of operators that must not lie on a path from a parameter to the loss.
func NoGrad(c *Grad) error {
	return onnx.Unsupportedf("%w", ErrNoGrad)
}

// ZeroGrad is the Grad of operators whose gradient is zero wherever it exists, and of those whose outputs do not depend on
// the inputs' values.
func ZeroGrad(*Grad) error { return nil }
