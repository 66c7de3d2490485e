// Package autodiff is the reverse pass: graph in, graph out, by asking each operator for its gradient. It names no operator.
package autodiff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
)

// Gradients appends to b's graph the gradients of the sum over i of ys[i]*dys[i] with respect to xs, and returns them: each
// has the type of its x, and is nil where the ys do not depend on x. A nil entry of dys stands for 1 where ys[i] is a scalar.
//
// Nodes of the graph must be in their newest form and have types. Forward nodes may gain outputs; nothing else about them
// changes. The pass visits only nodes between xs and ys. An operator without a gradient there is an onnx.NodeError that
// wraps opdef.ErrNoGrad and names the xs behind it.
func Gradients(b *onnx.Builder, set *opdef.Set, ys, dys, xs []*onnx.Value) ([]*onnx.Value, error) {
	order, err := sorted(b.Graph)
	if err != nil {
		return nil, err
	}
	return gradients(b, set, order, ys, dys, xs)
}

func sorted(g *onnx.Graph) ([]*onnx.Node, error) {
	order, ok := onnx.Sorted(g, nil)
	if !ok {
		return nil, onnx.Invalidf("graph %.128q: nodes form a cycle", g.Name)
	}
	return order, nil
}

// gradients is Gradients through the nodes in order alone, which are sorted.
func gradients(b *onnx.Builder, set *opdef.Set, order []*onnx.Node, ys, dys, xs []*onnx.Value) ([]*onnx.Value, error) {
	if len(dys) != len(ys) {
		return nil, onnx.Internalf("%d gradients for %d values", len(dys), len(ys))
	}
	p := &pass{Builder: b, set: set, xs: xs, needs: map[*onnx.Value]bool{}, grad: map[*onnx.Value]*onnx.Value{}}
	p.forward(order)
	for i, y := range ys {
		d := dys[i]
		if d == nil {
			var err error
			if d, err = p.one(y); err != nil {
				return nil, err
			}
		}
		if err := p.add(y, d); err != nil {
			return nil, err
		}
	}
	for _, n := range slices.Backward(p.order) {
		if err := p.node(n); err != nil {
			return nil, onnx.At(n, err)
		}
	}
	out := make([]*onnx.Value, len(xs))
	for i, x := range xs {
		out[i] = p.grad[x]
	}
	return out, b.Err()
}

// pass is one reverse pass. It is the opdef.GradHost of the operators it asks.
type pass struct {
	*onnx.Builder
	set   *opdef.Set
	xs    []*onnx.Value
	order []*onnx.Node // those that read a needed value
	needs map[*onnx.Value]bool
	grad  map[*onnx.Value]*onnx.Value
}

// forward finds the values that depend on xs and may carry a gradient, and the nodes that read one.
func (p *pass) forward(order []*onnx.Node) {
	for _, x := range p.xs {
		p.needs[x] = true
	}
	for _, n := range order {
		if !slices.ContainsFunc(reads(n), func(v *onnx.Value) bool { return v != nil && p.needs[v] }) {
			continue
		}
		p.order = append(p.order, n)
		for _, y := range n.Outputs() {
			if y != nil && carries(y.Type) {
				p.needs[y] = true
			}
		}
	}
}

// reads lists what n and its subgraphs read.
func reads(n *onnx.Node) []*onnx.Value { return append(n.Inputs(), n.Captures()...) }

// carries reports whether a value of type t may carry a gradient. What is not known may.
func carries(t onnx.Type) bool {
	for t.Of != nil {
		t = *t.Of
	}
	return t.Elem == onnx.Undefined || t.Elem.IsFloat()
}

// node asks the operator of n, when a gradient arrives at n.
func (p *pass) node(n *onnx.Node) error {
	dys, arrives := make([]*onnx.Value, n.NumOut()), false
	for i, y := range n.Outputs() {
		if y != nil && p.needs[y] && p.grad[y] != nil {
			dys[i], arrives = p.grad[y], true
		}
	}
	if !arrives {
		return nil
	}
	captures := n.Captures()
	c := opdef.NewGrad(p.Builder, n, p, dys)
	if err := p.ask(c); err != nil {
		return p.behind(n, err)
	}
	for i, v := range n.Inputs() {
		if v == nil {
			continue
		}
		if err := p.add(v, c.DX(i)); err != nil {
			return err
		}
	}
	for _, v := range captures {
		if err := p.add(v, c.DCapture(v)); err != nil {
			return err
		}
	}
	return p.Err()
}

func (p *pass) ask(c *opdef.Grad) error {
	def, err := p.set.Lookup(c.Node)
	if err != nil {
		return err
	}
	switch {
	case def.Grad != nil:
		return def.Grad(c)
	case shape.HasBody(c.Node, def):
		return p.throughBody(c, def)
	}
	return opdef.NoGrad(c)
}

// ThroughBody differentiates the body that the standard gives c's operator.
func (p *pass) ThroughBody(c *opdef.Grad) error {
	def, err := p.set.Lookup(c.Node)
	if err != nil {
		return err
	}
	return p.throughBody(c, def)
}

// throughBody differentiates the body that the standard gives the operator. The reverse pass computes the body again.
func (p *pass) throughBody(c *opdef.Grad, def *opdef.Def) error {
	n, captures := c.Node, c.Captures()
	body, args, err := shape.New(p.set).Body(n, def)
	if err != nil {
		return err
	}
	defer func() { body.Remove(slices.Clone(body.Nodes)...) }()
	dys := make([]*onnx.Value, n.NumOut())
	for i := range dys {
		dys[i] = c.DY(i)
	}
	dargs, dcaps, err := differentiate(p.Builder, p.set, body, args, dys, captures)
	if err != nil {
		return err
	}
	for i, v := range captures {
		c.SetDCapture(v, dcaps[i])
	}
	for i, v := range args {
		for j, in := range n.Inputs() {
			if in == v { // the body reads it once for all inputs that it is
				c.SetDX(j, dargs[i])
				break
			}
		}
	}
	return nil
}

// add adds d to the gradient of v, when that is wanted.
func (p *pass) add(v, d *onnx.Value) error {
	if d == nil || !p.needs[v] {
		return nil
	}
	if err := fits(v, d); err != nil {
		return err
	}
	if old := p.grad[v]; old != nil {
		d = p.Sum(p.Builder, old, d)
	}
	p.grad[v] = d
	return nil
}

// fits holds the type of a gradient against that of its value, as far as both are known: a difference is a bug of the
// operator that gave it.
func fits(v, d *onnx.Value) error {
	a, b := v.Type, d.Type
	ok := a.Elem == b.Elem || a.Elem == onnx.Undefined || b.Elem == onnx.Undefined
	if ok && a.Ranked && b.Ranked {
		ok = len(a.Shape) == len(b.Shape)
		for i := 0; ok && i < len(a.Shape); i++ {
			ok = !a.Shape[i].IsFixed() || !b.Shape[i].IsFixed() || a.Shape[i].N == b.Shape[i].N
		}
	}
	if !ok {
		return onnx.Internalf("value %.128q of type %v has a gradient of type %v", v.Name, a, b)
	}
	return nil
}

// one is the gradient of a scalar with respect to itself.
func (p *pass) one(y *onnx.Value) (*onnx.Value, error) {
	if y.Type.Rank() != 0 {
		return nil, onnx.Invalidf("value %.128q: expected a scalar, received %v", y.Name, y.Type)
	}
	switch y.Type.Elem {
	case onnx.Float32:
		return p.Const(onnx.Scalar[float32](1)), nil
	case onnx.Float64:
		return p.Const(onnx.Scalar[float64](1)), nil
	case onnx.Float16:
		return p.Const(onnx.Scalar(onnx.NewF16(1))), nil
	case onnx.BFloat16:
		return p.Const(onnx.Scalar(onnx.NewBF16(1))), nil
	}
	return nil, onnx.Invalidf("value %.128q of type %v has no gradient", y.Name, y.Type)
}

// behind adds to the error of n the parameters that lie behind it.
func (p *pass) behind(n *onnx.Node, err error) error {
	wanted, seen := map[*onnx.Value]bool{}, map[*onnx.Value]bool{}
	for _, x := range p.xs {
		wanted[x] = true
	}
	var names []string
	for stack := reads(n); len(stack) > 0; {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if v == nil || seen[v] || !p.needs[v] {
			continue
		}
		seen[v] = true
		if wanted[v] {
			names = append(names, fmt.Sprintf("%.128q", v.Name))
		}
		if v.Node() != nil {
			stack = append(stack, reads(v.Node())...)
		}
	}
	slices.Sort(names)
	if len(names) > 5 {
		names = append(names[:5], fmt.Sprintf("%d more", len(names)-5))
	}
	return fmt.Errorf("the gradient of %s needs it: %w", strings.Join(names, ", "), err)
}

// Needs reports whether the gradient of v is wanted.
func (p *pass) Needs(v *onnx.Value) bool { return p.needs[v] }

// Zeros is a value of zeros like another.
func (p *pass) Zeros(b *onnx.Builder, like *onnx.Value) *onnx.Value { return ops.Zeros(b, like) }

// Sum adds two gradients.
func (p *pass) Sum(b *onnx.Builder, x, y *onnx.Value) *onnx.Value { return ops.Sum(b, x, y) }
