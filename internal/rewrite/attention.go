package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// attentions finds attention that exporters write as several operators,
//
//	MatMul(Softmax(MatMul(Q, Kᵀ)·scale + mask), V)
//
// and makes it Attention, which keeps no matrix of all scores. The scale may be a factor of Q, of K or of the scores, or missing,
// as may the mask. Where Q, K and V come from [batch, length, heads·size] by Reshape and Transpose and the result goes back to
// that, Attention reads and writes it as it is; where they are parts of such rows, as fromRows finds, a Slice cuts them out.
//
// A query all of whose keys are masked by minus infinity gives zeros, where the operators gave NaN.
func (p *optimiser) attentions() error {
	return graphs(p.g, func(g *onnx.Graph) error {
		var gone []*onnx.Node
		before := len(g.Nodes)
		for _, n := range g.Nodes {
			if e := elemOf(n); is(n, "MatMul") && (e == onnx.Float32 || e == onnx.Float64) {
				a := &attention{p: p, last: n, scale: 1}
				if a.read() {
					a.become()
					gone = append(gone, a.nodes...)
				}
			}
		}
		added := len(g.Nodes) > before
		g.Remove(gone...)
		if !added {
			return nil
		}
		var err error
		g.Nodes, err = sorted(g)
		return err
	})
}

func elemOf(n *onnx.Node) onnx.ElemType {
	if v := n.Out(0); v != nil {
		return v.Type.Elem
	}
	return onnx.Undefined
}

// attention is the operators that last, the product by V, ends.
type attention struct {
	p             *optimiser
	last          *onnx.Node
	nodes         []*onnx.Node // whose results nobody needs any more
	q, k, v, mask *onnx.Value  // [batch, heads, length, size], but see turned
	turned        bool         // k is [batch, length, heads, size]
	scale         float64
}

// take is v's node if that is the standard's operator op and only reader reads v; nil otherwise.
func (a *attention) take(v *onnx.Value, reader *onnx.Node, op string) *onnx.Node {
	if v == nil || !is(v.Node(), op) || !a.p.onlyReader(v, reader) {
		return nil
	}
	a.nodes = append(a.nodes, v.Node())
	return v.Node()
}

// read reads all of it.
func (a *attention) read() bool {
	a.v = a.last.In(1)
	soft := a.take(a.last.In(0), a.last, "Softmax")
	if soft == nil || a.v == nil || a.v.Type.Rank() != 4 || soft.Out(0).Type.Rank() != 4 {
		return false
	}
	if axis := soft.Int("axis", -1); axis != -1 && axis != 3 {
		return false
	}
	scores, reader := a.masked(soft.In(0), soft)
	scores, reader = a.scaled(scores, reader)
	product := a.take(scores, reader, "MatMul")
	if product == nil {
		return false
	}
	var by *onnx.Node
	a.q, _ = a.scaled(product.In(0), product)
	a.k, by = a.scaled(product.In(1), product)
	return a.keys(by) && a.fits()
}

// masked takes off the Add of a mask whose shape broadcasts to that of the scores v.
func (a *attention) masked(v *onnx.Value, reader *onnx.Node) (scores *onnx.Value, by *onnx.Node) {
	add := a.peek(v, reader, "Add")
	if add == nil {
		return v, reader
	}
	for i := range 2 {
		s, mask := add.In(i), add.In(1-i)
		if s == nil || mask == nil || !a.p.onlyReader(s, add) || !isMask(mask, s) {
			continue
		}
		if _, ok := a.p.number(mask); ok {
			continue
		}
		a.mask, a.nodes = mask, append(a.nodes, add)
		return s, add
	}
	return v, reader
}

// peek is take that takes nothing.
func (a *attention) peek(v *onnx.Value, reader *onnx.Node, op string) *onnx.Node {
	n := a.take(v, reader, op)
	if n != nil {
		a.nodes = a.nodes[:len(a.nodes)-1]
	}
	return n
}

// isMask reports whether mask broadcasts to scores: the last dim is the same, others are or are 1.
func isMask(mask, scores *onnx.Value) bool {
	m, s := mask.Type, scores.Type
	if !m.Ranked || len(m.Shape) == 0 || len(m.Shape) > 4 || s.Rank() != 4 || m.Elem != s.Elem {
		return false
	}
	off := 4 - len(m.Shape)
	for i, d := range m.Shape {
		one := d.IsFixed() && d.N == 1 && i < len(m.Shape)-1
		if !one && !d.Same(s.Shape[off+i]) {
			return false
		}
	}
	return true
}

// scaled takes off multiplications and divisions by a number, and gives what is scaled and who reads it.
func (a *attention) scaled(v *onnx.Value, reader *onnx.Node) (what *onnx.Value, by *onnx.Node) {
	for {
		mul, div := a.peek(v, reader, "Mul"), a.peek(v, reader, "Div")
		switch {
		case mul != nil:
			i := 0
			if _, ok := a.p.number(mul.In(0)); ok {
				i = 1
			}
			c, ok := a.p.number(mul.In(1 - i))
			if !ok || mul.In(i) == nil || !sameShape(mul.In(i), v) {
				return v, reader
			}
			a.scale *= c
			a.nodes = append(a.nodes, mul)
			v, reader = mul.In(i), mul
		case div != nil:
			c, ok := a.p.number(div.In(1))
			if !ok || c == 0 || !sameShape(div.In(0), v) {
				return v, reader
			}
			a.scale /= c
			a.nodes = append(a.nodes, div)
			v, reader = div.In(0), div
		default:
			return v, reader
		}
	}
}

// keys takes off the Transpose of K, which reader reads, and scales before it.
func (a *attention) keys(reader *onnx.Node) bool {
	if a.k == nil || !is(a.k.Node(), "Transpose") || a.k.Graph() != a.last.Graph() {
		return false
	}
	t := a.k.Node()
	perm, _ := t.Ints("perm")
	switch {
	case slices.Equal(perm, []int64{0, 1, 3, 2}):
	case slices.Equal(perm, []int64{0, 2, 3, 1}):
		a.turned = true
	default:
		return false
	}
	if a.k = t.In(0); a.p.onlyReader(t.Out(0), reader) {
		a.nodes = append(a.nodes, t)
		a.k, _ = a.scaled(a.k, t)
	}
	return a.k != nil
}

// fits reports whether Q, K and V have the same batch and heads, which MatMul would broadcast. Their other sizes fit together, or
// the products would not exist.
func (a *attention) fits() bool {
	if a.q == nil || a.q.Type.Rank() != 4 || a.k.Type.Rank() != 4 {
		return false
	}
	q, k, v := a.q.Type.Shape, slices.Clone(a.k.Type.Shape), a.v.Type.Shape
	if a.turned {
		k[1] = k[2]
	}
	return q[0].Same(k[0]) && q[0].Same(v[0]) && q[1].Same(k[1]) && q[1].Same(v[1])
}

// become makes the operators one Attention.
func (a *attention) become() {
	attrs := []onnx.Attribute{onnx.Float("scale", float32(a.scale))}
	last := a.last
	if q, k, v, to := a.flat(a.q, false), a.flat(a.k, a.turned), a.flat(a.v, false), a.merged(); q != nil && k != nil && v != nil && to != nil {
		heads := a.q.Type.Shape[1].N
		attrs = append(attrs, onnx.Int("q_num_heads", heads), onnx.Int("kv_num_heads", heads))
		a.q, a.k, a.v = q, k, v
		a.nodes = append(a.nodes, last, last.Out(0).Uses()[0].Node)
		last = to
	} else if h, ok := fixedShape(a.q); ok && a.fromRows() {
		attrs = append(attrs, onnx.Int("q_num_heads", int64(h[1])), onnx.Int("kv_num_heads", int64(h[1])))
	} else if a.turned {
		a.k = a.unturned()
	}
	in := values{a.q, a.k, a.v}
	if a.mask != nil {
		in = append(in, a.mask)
	}
	a.p.become(last, &onnx.Node{OpType: "Attention", Attrs: attrs}, a.nodes, in...)
}

// flat is what v, [batch, heads, length, size], was made of: [batch, length, heads·size]; nil if it was not. A v that is turned is
// [batch, length, heads, size].
func (a *attention) flat(v *onnx.Value, turned bool) *onnx.Value {
	if !turned {
		t := v.Node()
		perm, _ := permOf(t)
		if !slices.Equal(perm, []int64{0, 2, 1, 3}) {
			return nil
		}
		v = t.In(0)
	}
	if v == nil || !is(v.Node(), "Reshape") {
		return nil
	}
	if x := v.Node().In(0); mergesLast(v, x) {
		return x
	}
	return nil
}

func permOf(n *onnx.Node) ([]int64, bool) {
	if !is(n, "Transpose") {
		return nil, false
	}
	return n.Ints("perm")
}

// mergesLast reports whether x is v, of rank 4, with the last two axes as one. Where the number of elements is the same that is
// so if these axes and one other are.
func mergesLast(v, x *onnx.Value) bool {
	if v == nil || x == nil || v.Type.Rank() != 4 || x.Type.Rank() != 3 {
		return false
	}
	s, m := v.Type.Shape, x.Type.Shape
	if !s[2].IsFixed() || !s[3].IsFixed() || !m[2].IsFixed() || s[2].N*s[3].N != m[2].N {
		return false
	}
	return s[0].Same(m[0]) || s[1].Same(m[1])
}

// merged is the Reshape that makes [batch, length, heads·size] of the result; nil if that is not what becomes of it.
func (a *attention) merged() *onnx.Node {
	y := a.last.Out(0)
	if len(y.Uses()) != 1 || !a.p.onlyReader(y, y.Uses()[0].Node) {
		return nil
	}
	t := y.Uses()[0].Node
	perm, _ := permOf(t)
	if !slices.Equal(perm, []int64{0, 2, 1, 3}) || t.Out(0) == nil || len(t.Out(0).Uses()) != 1 {
		return nil
	}
	r := t.Out(0).Uses()[0].Node
	if !is(r, "Reshape") || !a.p.onlyReader(t.Out(0), r) || r.Out(0) == nil || !mergesLast(t.Out(0), r.Out(0)) {
		return nil
	}
	return r
}

// unturned adds the Transpose that makes [batch, heads, length, size] of k.
func (a *attention) unturned() *onnx.Value {
	t := a.last.Graph().Add("", "Transpose", 1, values{a.k}, onnx.Ints("perm", 0, 2, 1, 3))
	t.ID, t.Origin, t.Name = a.last.ID, origin(a.last), a.last.Name
	y := t.Out(0)
	y.Type = a.k.Type.Clone()
	s := y.Type.Shape
	s[1], s[2] = s[2], s[1]
	return y
}
