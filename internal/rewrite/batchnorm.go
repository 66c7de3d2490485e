package rewrite

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// batchNorms puts what scales and shifts the channels of a Conv's result by constants into the Conv's weights: Add, Sub, Mul, Div,
// and BatchNormalization with constant statistics:
//
//	W' = W * s, B' = (B - mean) * s + bias, where s = scale / sqrt(var + epsilon)
func (p *optimiser) batchNorms() error {
	return graphs(p.g, func(g *onnx.Graph) error {
		var gone []*onnx.Node
		for _, n := range slices.Clone(g.Nodes) {
			if p.foldAffine(n) {
				gone = append(gone, n)
			}
		}
		g.Remove(gone...)
		return nil
	})
}

// foldAffine changes the Conv before n and lets its output take the place of n's; it reports whether it could.
func (p *optimiser) foldAffine(n *onnx.Node) bool {
	at, ok := p.scaled(n)
	if !ok {
		return false
	}
	conv := p.convBefore(n, at)
	if conv == nil {
		return false
	}
	w, bias, ok := p.constants(conv.In(1), conv.In(2))
	if !ok || len(w.Shape) < 3 {
		return false
	}
	channels := w.Shape[0]
	s, b, ok := p.affine(n, at, channels)
	if !ok || bias != nil && len(bias) != channels {
		return false
	}
	if bias != nil {
		for i := range b {
			b[i] += bias[i] * s[i]
		}
	}
	setWeights(p.g, conv, w, s, b)
	v, y := n.Out(0), conv.Out(0)
	v.Name, y.Name = y.Name, v.Name
	replace(v, y, p.outputs)
	conv.Origin = append(origin(conv), origin(n)...)
	n.TrimIn(0) // so that the next node is the only reader
	return true
}

func origin(n *onnx.Node) []int {
	if n.Origin != nil {
		return n.Origin
	}
	return []int{n.ID}
}

// scaled is which input n scales and shifts by constants; ok is false for nodes that do not.
func (p *optimiser) scaled(n *onnx.Node) (at int, ok bool) {
	switch {
	case is(n, "BatchNormalization"):
		return 0, n.Int("training_mode", 0) == 0 && n.NumOut() == 1 && n.NumIn() == 5
	case is(n, "Div"):
		return 0, p.constant(n.In(1)) != nil
	case is(n, "Add"), is(n, "Sub"), is(n, "Mul"):
		if p.constant(n.In(0)) != nil {
			return 1, true
		}
		return 0, p.constant(n.In(1)) != nil
	}
	return 0, false
}

// convBefore is the Conv of whose result n, which reads it as input at, is the only reader; nil when there is none.
func (p *optimiser) convBefore(n *onnx.Node, at int) *onnx.Node {
	x := n.In(at)
	if x == nil || len(x.Uses()) != 1 || p.outputs[x] {
		return nil
	}
	if conv := x.Node(); is(conv, "Conv") && conv.Graph() == n.Graph() {
		return conv
	}
	return nil
}

// constants gives a weight and, as numbers, a bias, which may be absent.
func (p *optimiser) constants(weight, bias *onnx.Value) (w *onnx.Tensor, b []float64, ok bool) {
	if w = p.constant(weight); w == nil || w.Elem != onnx.Float32 && w.Elem != onnx.Float64 {
		return nil, nil, false
	}
	if bias == nil {
		return w, nil, true
	}
	b, ok = p.numbers(bias)
	return w, b, ok
}

func (p *optimiser) numbers(v *onnx.Value) ([]float64, bool) {
	t := p.constant(v)
	if t == nil {
		return nil, false
	}
	t, err := WideTensor(t)
	if err != nil || t.Elem != onnx.Float64 {
		return nil, false
	}
	return onnx.Data[float64](t), true
}

// affine is n, which reads x as input at, as y = s*x + b by channel.
func (p *optimiser) affine(n *onnx.Node, at, channels int) (s, b []float64, ok bool) {
	if !is(n, "BatchNormalization") {
		return p.arithmetic(n, at, channels)
	}
	var in [4][]float64
	for i := range in {
		if in[i], ok = p.numbers(n.In(i + 1)); !ok || len(in[i]) != channels {
			return nil, nil, false
		}
	}
	scale, bias, mean, variance := in[0], in[1], in[2], in[3]
	s, b = make([]float64, channels), make([]float64, channels)
	eps := float64(n.Float("epsilon", 1e-5))
	for i := range s {
		s[i] = scale[i] / math.Sqrt(variance[i]+eps)
		b[i] = bias[i] - mean[i]*s[i]
		if math.IsNaN(s[i]) || math.IsInf(s[i], 0) {
			return nil, nil, false
		}
	}
	return s, b, true
}

// arithmetic is affine for operators of two operands.
func (p *optimiser) arithmetic(n *onnx.Node, at, channels int) (s, b []float64, ok bool) {
	c, ok := p.perChannel(n.In(1-at), n.In(at).Type.Rank(), channels)
	if !ok {
		return nil, nil, false
	}
	s, b = make([]float64, channels), make([]float64, channels)
	for i, v := range c {
		s[i] = 1
		switch n.OpType {
		case "Add":
			b[i] = v
		case "Sub":
			s[i], b[i] = float64(1-2*at), float64(2*at-1)*v
		case "Mul":
			s[i] = v
		case "Div":
			s[i] = 1 / v
		}
		if x := s[i] * b[i]; math.IsNaN(x) || math.IsInf(s[i], 0) || math.IsInf(b[i], 0) {
			return nil, nil, false
		}
	}
	return s, b, true
}

// perChannel is the numbers of a constant that has one for each channel of a tensor of that rank, or one for all.
func (p *optimiser) perChannel(v *onnx.Value, rank, channels int) ([]float64, bool) {
	c, ok := p.numbers(v)
	if !ok || len(v.Init.Shape) > rank || len(c) != 1 && len(c) != channels {
		return nil, false
	}
	if len(c) == 1 {
		return slices.Repeat(c, channels), true
	}
	axis := len(v.Init.Shape) - rank + 1 // all others are 1 where this one has all elements
	return c, axis >= 0 && v.Init.Shape[axis] == channels
}

// setWeights gives conv the weights w, each output channel times s, and the bias b.
func setWeights(g *onnx.Graph, conv *onnx.Node, w *onnx.Tensor, s, b []float64) {
	t := w.Clone()
	if w.Elem == onnx.Float64 {
		scaleRows(onnx.View[float64](t.Mutable()), s)
	} else {
		scaleRows(onnx.View[float32](t.Mutable()), s)
	}
	add := func(name string, t *onnx.Tensor) *onnx.Value { return g.Initializer(name, t.Type(), t) }
	conv.SetIn(1, add(conv.In(1).Name+"_folded", t))
	bias := onnx.Vector(b...)
	if w.Elem == onnx.Float32 {
		bias = onnx.Vector(wide32(b)...)
	}
	conv.TrimIn(2)
	conv.AddIn(add(conv.Label()+"_bias_folded", bias))
}

func scaleRows[T float32 | float64](w []T, s []float64) {
	if len(s) == 0 {
		return
	}
	row := len(w) / len(s)
	for i := range w {
		w[i] = T(float64(w[i]) * s[i/row])
	}
}

func wide32(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
