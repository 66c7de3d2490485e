package rewrite

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// activations finds functions of one number that exporters write as several operators, and makes each one operator: GELU in both
// forms, Swish (SiLU) and HardSwish. What is found is a polynomial of x plus a polynomial of x times one function of a polynomial
// of x, in whatever order its terms and factors come.
func (p *optimiser) activations() error {
	return graphs(p.g, func(g *onnx.Graph) error {
		var gone []*onnx.Node
		for _, n := range g.Nodes {
			if n.Out(0) == nil || !is(n, "Mul") && !is(n, "Div") && !is(n, "Add") || !floating(n.Out(0).Type.Elem) {
				continue
			}
			if f := p.formOf(n); f != nil {
				gone = append(gone, f.become()...)
			}
		}
		g.Remove(gone...)
		return nil
	})
}

// polynomial is its coefficients, the constant one first.
type polynomial []float64

// degrees is how many coefficients a polynomial may have.
const degrees = 5

func (a polynomial) at(i int) float64 {
	if i < len(a) {
		return a[i]
	}
	return 0
}

func (a polynomial) plus(b polynomial, sign float64) polynomial {
	c := make(polynomial, max(len(a), len(b)))
	for i := range c {
		c[i] = a.at(i) + sign*b.at(i)
	}
	return c
}

// times is nil when the degree becomes too high.
func (a polynomial) times(b polynomial) polynomial {
	if len(a) == 0 || len(b) == 0 {
		return polynomial{}
	}
	if len(a)+len(b)-1 > degrees {
		return nil
	}
	c := make(polynomial, len(a)+len(b)-1)
	for i, v := range a {
		for j, w := range b {
			c[i+j] += v * w
		}
	}
	return c
}

// near reports whether a has the coefficients c, to the precision that exporters write constants with.
func (a polynomial) near(e onnx.ElemType, c ...float64) bool {
	tolerance := 2e-6
	switch e {
	case onnx.Float16:
		tolerance = 2e-3
	case onnx.BFloat16:
		tolerance = 1e-2
	}
	for i := range max(len(a), len(c)) {
		if w := polynomial(c).at(i); !(math.Abs(a.at(i)-w) <= tolerance*math.Abs(w)) {
			return false
		}
	}
	return true
}

// term is plain + by·t, where t is the one function that a form has.
type term struct{ plain, by polynomial }

// form is what the nodes before root compute from x.
type form struct {
	p     *optimiser
	root  *onnx.Node
	x     *onnx.Value
	nodes []*onnx.Node // all but root
	t     *onnx.Node
	arg   polynomial // of t
	term
}

// formNodes is the most nodes that a form may have.
const formNodes = 24

// functions are the operators that may be the function of a form.
var functions = []string{"Erf", "Tanh", "Sigmoid", "HardSigmoid", "Clip"}

// formOf reads n and what is before it; nil if that is no form.
func (p *optimiser) formOf(n *onnx.Node) *form {
	f := &form{p: p, root: n}
	if !f.leaves(n) || f.x == nil || f.t == nil {
		return nil
	}
	var ok bool
	if f.term, ok = f.node(n); !ok || f.operator() == nil {
		return nil
	}
	return f
}

// leaves collects the nodes before n whose results nothing else reads, and the one value that they start from.
func (f *form) leaves(n *onnx.Node) bool {
	for _, v := range n.Inputs() {
		if v == nil || f.p.constant(v) != nil {
			continue
		}
		inner := v.Node()
		if !f.p.onlyReader(v, n) || !is(inner, inner.OpType) || !slices.Contains(arithmetic, inner.OpType) && !slices.Contains(functions, inner.OpType) {
			if f.x != nil && f.x != v {
				return false
			}
			f.x = v
			continue
		}
		if slices.Contains(functions, inner.OpType) {
			if f.t != nil {
				return false
			}
			f.t = inner
		}
		f.nodes = append(f.nodes, inner)
		if len(f.nodes) > formNodes || !f.leaves(inner) {
			return false
		}
	}
	return true
}

var arithmetic = []string{"Add", "Sub", "Mul", "Div", "Neg", "Pow"}

// value is the term that v stands for.
func (f *form) value(v *onnx.Value) (term, bool) {
	if v == f.x {
		return term{plain: polynomial{0, 1}}, true
	}
	if f.p.constant(v) != nil {
		c, ok := f.number(v)
		return term{plain: polynomial{c}}, ok
	}
	if v == nil {
		return term{}, false
	}
	return f.node(v.Node())
}

// number is the one number that v holds for ever and that broadcasts without giving x another shape.
func (f *form) number(v *onnx.Value) (float64, bool) {
	if rank := v.Type.Rank(); rank > 0 && rank > f.x.Type.Rank() {
		return 0, false
	}
	return f.p.number(v)
}

// number is the one number, of a floating-point or the usual integer type, that v holds for ever.
func (p *optimiser) number(v *onnx.Value) (float64, bool) {
	t := p.constant(v)
	if t == nil || t.Len() != 1 {
		return 0, false
	}
	switch t.Elem {
	case onnx.Int64:
		return float64(onnx.Data[int64](t)[0]), true
	case onnx.Int32:
		return float64(onnx.Data[int32](t)[0]), true
	}
	c, ok := p.numbers(v)
	if !ok {
		return 0, false
	}
	return c[0], true
}

// node is the term that n computes.
func (f *form) node(n *onnx.Node) (term, bool) {
	if n == f.t {
		a, ok := f.value(n.In(0))
		f.arg = a.plain
		return term{by: polynomial{1}}, ok && len(a.by) == 0
	}
	a, ok := f.value(n.In(0))
	if !ok {
		return term{}, false
	}
	if n.OpType == "Neg" {
		return term{polynomial{}.plus(a.plain, -1), polynomial{}.plus(a.by, -1)}, true
	}
	b, ok := f.value(n.In(1))
	if !ok {
		return term{}, false
	}
	switch n.OpType {
	case "Add":
		return term{a.plain.plus(b.plain, 1), a.by.plus(b.by, 1)}, true
	case "Sub":
		return term{a.plain.plus(b.plain, -1), a.by.plus(b.by, -1)}, true
	case "Mul":
		return product(a, b)
	case "Div":
		if len(b.plain) != 1 || len(b.by) > 0 {
			return term{}, false
		}
		return product(a, term{plain: polynomial{1 / b.plain[0]}})
	case "Pow":
		return power(a, b)
	}
	return term{}, false
}

func product(a, b term) (term, bool) {
	if len(a.by) > 0 && len(b.by) > 0 {
		return term{}, false
	}
	plain := a.plain.times(b.plain)
	by, other := a.by.times(b.plain), b.by.times(a.plain)
	if plain == nil || by == nil || other == nil {
		return term{}, false
	}
	return term{plain, by.plus(other, 1)}, true
}

// power is a to the second or third power.
func power(a, b term) (term, bool) {
	if len(b.plain) != 1 || len(b.by) > 0 || len(a.by) > 0 {
		return term{}, false
	}
	switch b.plain[0] {
	case 2:
		return product(a, a)
	case 3:
		square, ok := product(a, a)
		if !ok {
			return term{}, false
		}
		return product(square, a)
	}
	return term{}, false
}

// operator is the node that the form is, without inputs; nil if it is none.
func (f *form) operator() *onnx.Node {
	const c1, c3 = 0.7978845608028654, 0.7978845608028654 * 0.044715 // √(2/π)
	e := f.root.Out(0).Type.Elem
	half := f.plain.near(e, 0, 0.5) && f.by.near(e, 0, 0.5)
	gate := f.plain.near(e) && f.by.near(e, 0, 1)
	one := func(op string, attrs ...onnx.Attribute) *onnx.Node { return &onnx.Node{OpType: op, Attrs: attrs} }
	switch f.t.OpType {
	case "Erf":
		if half && f.arg.near(e, 0, math.Sqrt2/2) {
			return one("Gelu")
		}
	case "Tanh":
		if half && f.arg.near(e, 0, c1, 0, c3) {
			return one("Gelu", onnx.Str("approximate", "tanh"))
		}
	case "Sigmoid":
		switch {
		case !gate:
		case f.arg.near(e, 0, 2*c1, 0, 2*c3):
			return one("Gelu", onnx.Str("approximate", "tanh"))
		case f.arg.near(e, 0, 1):
			return one("Swish")
		case f.arg.near(e, 0, f.arg.at(1)) && f.arg.at(1) != 0:
			return one("Swish", onnx.Float("alpha", float32(f.arg.at(1))))
		}
	case "HardSigmoid":
		alpha, beta := float64(f.t.Float("alpha", 0.2)), float64(f.t.Float("beta", 0.5))
		if gate && f.arg.near(e, 0, 1) && (polynomial{beta, alpha}).near(e, 0.5, 1.0/6) {
			return one("HardSwish")
		}
	case "Clip":
		if f.plain.near(e) && f.by.near(e, 0, 1.0/6) && f.arg.near(e, 3, 1) && f.clips(0, 6) {
			return one("HardSwish")
		}
	}
	return nil
}

// clips reports whether t, a Clip, has those bounds.
func (f *form) clips(low, high float64) bool {
	a, okA := f.p.number(f.t.In(1))
	b, okB := f.p.number(f.t.In(2))
	return okA && okB && a == low && b == high
}

// become makes root the operator and gives the nodes that nobody needs any more.
func (f *form) become() []*onnx.Node {
	f.p.become(f.root, f.operator(), f.nodes, f.x)
	return f.nodes
}

// become makes n the operator like, of the inputs in; gone are the nodes before n whose work it does as well.
func (p *optimiser) become(n, like *onnx.Node, gone []*onnx.Node, in ...*onnx.Value) {
	from := slices.Clone(origin(n))
	for _, m := range gone {
		from = append(from, origin(m)...)
	}
	n.Domain, n.OpType, n.Attrs, n.Version, n.Origin = "", like.OpType, like.Attrs, 0, from
	n.TrimIn(0)
	for _, v := range in {
		n.AddIn(v)
	}
}
