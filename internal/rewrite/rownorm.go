package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// rowNorms finds layer normalisation that exporters write as several operators,
//
//	(x - mean(x)) / √(mean((x - mean(x))²) + ε) · scale + bias
//
// and makes it LayerNormalization, or RMSNormalization where no mean is subtracted. Scale and bias may be missing.
func (p *optimiser) rowNorms() error {
	return graphs(p.g, func(g *onnx.Graph) error {
		var gone []*onnx.Node
		for _, n := range g.Nodes {
			if n.Out(0) == nil || !is(n, "Div") && !is(n, "Mul") || !floating(n.Out(0).Type.Elem) {
				continue
			}
			if r := p.rowNormOf(n); r != nil {
				gone = append(gone, r.become()...)
			}
		}
		g.Remove(gone...)
		return nil
	})
}

// rowNorm is a normalisation whose last node is root.
type rowNorm struct {
	p       *optimiser
	root    *onnx.Node
	x       *onnx.Value
	d       *onnx.Node // x - mean(x); nil when the mean is not subtracted
	nodes   []*onnx.Node
	axis    int64
	epsilon float64
}

// rowNormOf reads n as the division of a normalisation; nil if it is none.
func (p *optimiser) rowNormOf(n *onnx.Node) *rowNorm {
	r := &rowNorm{p: p, root: n}
	for i := range 2 {
		deviation, ok := r.deviation(n, n.In(i), i)
		if !ok {
			continue
		}
		d := n.In(1 - i)
		if d != nil && r.moments(deviation, d) && r.center(d) && r.closed() {
			return r
		}
		r.nodes, r.d = nil, nil
	}
	return nil
}

// take is v's node when that is the standard's operator op, whose result only reader may read; it becomes one of r's.
func (r *rowNorm) take(v *onnx.Value, reader *onnx.Node, op string) *onnx.Node {
	if v == nil || !is(v.Node(), op) || !r.p.onlyReader(v, reader) {
		return nil
	}
	r.nodes = append(r.nodes, v.Node())
	return v.Node()
}

// deviation is the node that makes √(…) of v, input i of n: the divisor, or a factor that is its reciprocal.
func (r *rowNorm) deviation(n *onnx.Node, v *onnx.Value, i int) (*onnx.Node, bool) {
	reader := n
	if is(n, "Mul") {
		if inverse := r.take(v, n, "Reciprocal"); inverse != nil {
			reader, v = inverse, inverse.In(0)
		} else if inverse = r.take(v, n, "Div"); inverse != nil {
			if one, ok := r.p.number(inverse.In(0)); !ok || one != 1 {
				return nil, false
			}
			reader, v = inverse, inverse.In(1)
		} else {
			return nil, false
		}
	} else if i != 1 {
		return nil, false
	}
	root := r.take(v, reader, "Sqrt")
	return root, root != nil
}

// moments reads √(mean(d²) + ε).
func (r *rowNorm) moments(root *onnx.Node, d *onnx.Value) bool {
	add := r.take(root.In(0), root, "Add")
	if add == nil {
		return false
	}
	for i := range 2 {
		epsilon, ok := r.p.number(add.In(1 - i))
		if !ok {
			continue
		}
		mean := r.take(add.In(i), add, "ReduceMean")
		if mean == nil || !r.lastAxes(mean, d) {
			return false
		}
		r.epsilon = epsilon
		return r.square(mean, d)
	}
	return false
}

// square reads d².
func (r *rowNorm) square(mean *onnx.Node, d *onnx.Value) bool {
	if pow := r.take(mean.In(0), mean, "Pow"); pow != nil {
		two, ok := r.p.number(pow.In(1))
		return ok && two == 2 && pow.In(0) == d
	}
	mul := r.take(mean.In(0), mean, "Mul")
	return mul != nil && mul.In(0) == d && mul.In(1) == d
}

// lastAxes reads the axes of a mean of v, which must be the last ones, as they stay.
func (r *rowNorm) lastAxes(mean *onnx.Node, v *onnx.Value) bool {
	axes := r.p.constant(mean.In(1))
	rank := int64(v.Type.Rank())
	if axes == nil || axes.Elem != onnx.Int64 || axes.Len() == 0 || mean.Int("keepdims", 1) == 0 {
		return false
	}
	list := slices.Clone(onnx.Data[int64](axes))
	for i, a := range list {
		if a >= 0 {
			list[i] = a - rank
		}
		if list[i] >= 0 || rank <= 0 && a >= 0 {
			return false
		}
	}
	slices.Sort(list)
	for i, a := range list {
		if a != int64(i-len(list)) {
			return false
		}
	}
	r.axis = -int64(len(list))
	return true
}

// center finds x: d itself, or what a mean over the same axes was subtracted from.
func (r *rowNorm) center(d *onnx.Value) bool {
	r.x = d
	sub := d.Node()
	if !is(sub, "Sub") || r.p.outputs[d] || d.Graph() != r.root.Graph() {
		return true
	}
	mean := sub.In(1).Node()
	if !is(mean, "ReduceMean") || mean.In(0) != sub.In(0) || !r.p.onlyReader(sub.In(1), sub) {
		return true
	}
	axis := r.axis
	if !r.lastAxes(mean, sub.In(0)) || r.axis != axis {
		return false
	}
	r.x, r.d, r.nodes = sub.In(0), sub, append(r.nodes, sub, mean)
	return true
}

// closed reports whether nothing else reads d.
func (r *rowNorm) closed() bool {
	if r.d == nil {
		return true
	}
	for _, u := range r.d.Out(0).Uses() {
		if u.Node != r.root && !slices.Contains(r.nodes, u.Node) {
			return false
		}
	}
	return true
}

// become makes root the normalisation, and the last of the nodes that scale and shift it if there are such. It gives the nodes
// that nobody needs any more.
func (r *rowNorm) become() []*onnx.Node {
	last, gone := r.root, r.nodes
	scale := r.param(&last, &gone, "Mul")
	var bias *onnx.Value
	if r.d != nil {
		bias = r.param(&last, &gone, "Add")
	}
	if scale == nil {
		scale = r.p.ones(r.x.Type.Elem)
	}
	in := values{r.x, scale}
	if bias != nil {
		in = append(in, bias)
	}
	op := "LayerNormalization"
	if r.d == nil {
		op = "RMSNormalization"
	}
	like := &onnx.Node{OpType: op, Attrs: []onnx.Attribute{onnx.Int("axis", r.axis), onnx.Float("epsilon", float32(r.epsilon))}}
	r.p.become(last, like, gone, in...)
	return gone
}

// param is what the only reader of last, an operator op, scales or shifts it by; that reader becomes the last node.
func (r *rowNorm) param(last **onnx.Node, gone *[]*onnx.Node, op string) *onnx.Value {
	y := (*last).Out(0)
	if len(y.Uses()) != 1 {
		return nil
	}
	n := y.Uses()[0].Node
	if !is(n, op) || !r.p.onlyReader(y, n) || n.Out(0) == nil {
		return nil
	}
	v := n.In(1 - y.Uses()[0].Index)
	if v == nil || v == y || !r.fits(v) {
		return nil
	}
	*gone = append(*gone, *last)
	*last = n
	return v
}

// fits reports whether v has the shape of the axes that are normalised, or for one axis a shape that broadcasts to it.
func (r *rowNorm) fits(v *onnx.Value) bool {
	x, s := r.x.Type, v.Type
	if !x.Ranked || !s.Ranked || s.Elem != x.Elem || len(s.Shape) != int(-r.axis) {
		return false
	}
	return slices.EqualFunc(s.Shape, x.Shape[len(x.Shape)-len(s.Shape):], onnx.Dim.Same)
}

// ones is a vector of one 1.
func (p *optimiser) ones(e onnx.ElemType) *onnx.Value {
	t := onnx.Vector[float32](1)
	switch e {
	case onnx.Float64:
		t = onnx.Vector[float64](1)
	case onnx.Float16:
		t = onnx.Vector(onnx.NewF16(1))
	case onnx.BFloat16:
		t = onnx.Vector(onnx.NewBF16(1))
	}
	return p.g.Initializer("one", t.Type(), t)
}
