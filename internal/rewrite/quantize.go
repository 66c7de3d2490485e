package rewrite

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// quantized computes in bytes what stands between DequantizeLinear and QuantizeLinear: convolutions and dense layers with
// constant weights, sums, maxima and means of images, and what only moves elements. Activations are unsigned bytes with one
// scale, weights signed bytes with zero points of 0. A Relu disappears where the zero point is the least byte.
func (p *optimiser) quantized() error {
	return graphs(p.g, func(g *onnx.Graph) error {
		before := len(g.Nodes)
		for _, q := range slices.Clone(g.Nodes) {
			switch {
			case q.Out(0) == nil:
			case is(q, "QuantizeLinear"):
				p.quantize(g, q)
			case is(q, "QLinearConv"):
				p.quantizeLinearConv(q)
			}
		}
		if len(g.Nodes) == before {
			return nil
		}
		order, err := sorted(g)
		if err == nil {
			g.Nodes = order
		}
		return err
	})
}

// byteScale is what a tensor of unsigned bytes stands for.
type byteScale struct {
	step float32
	zero int64
}

// byteScaleOf is the scale that inputs i and i+1 of a node give unsigned bytes.
func (p *optimiser) byteScaleOf(n *onnx.Node, i int) (s byteScale, ok bool) {
	step, zero := p.constant(n.In(i)), p.constant(n.In(i+1))
	if step == nil || step.Elem != onnx.Float32 || step.Len() != 1 || n.In(i+1) != nil && zero == nil || n.Int("block_size", 0) != 0 {
		return s, false
	}
	s.step = onnx.Data[float32](step)[0]
	if zero != nil {
		if zero.Elem != onnx.Uint8 || zero.Len() != 1 {
			return s, false
		}
		s.zero = int64(onnx.Data[uint8](zero)[0])
	}
	return s, s.step > 0 && !math.IsInf(float64(s.step), 0)
}

// dequantized is the bytes that v stands for, and how.
func (p *optimiser) dequantized(v *onnx.Value) (bytes *onnx.Value, s byteScale, ok bool) {
	if v == nil || v.Node() == nil || !is(v.Node(), "DequantizeLinear") {
		return nil, s, false
	}
	n := v.Node()
	s, ok = p.byteScaleOf(n, 1)
	return n.In(0), s, ok && v.Type.Elem == onnx.Float32 && n.In(0).Type.Elem == onnx.Uint8 && n.In(0).Type.Ranked
}

// quantize merges q with the operator before it and the DequantizeLinears before that.
func (p *optimiser) quantize(g *onnx.Graph, q *onnx.Node) {
	to, ok := p.byteScaleOf(q, 1)
	if !ok || q.Out(0).Type.Elem != onnx.Uint8 || !p.onlyReader(q.In(0), q) {
		return
	}
	n := q.In(0).Node()
	var relu *onnx.Node
	if is(n, "Relu") && to.zero == 0 && p.onlyReader(n.In(0), n) && (is(n.In(0).Node(), "Conv") || is(n.In(0).Node(), "Add")) {
		relu, n = n, n.In(0).Node()
	}
	x, from, ok := p.dequantized(n.In(0))
	if !ok || n.NumOut() != 1 {
		return
	}
	switch {
	case is(n, "Conv"):
		ok = p.quantizeConv(n, x, from, to)
	case is(n, "Gemm"):
		ok = p.quantizeGemm(g, n, x, from, to)
	case is(n, "Add"):
		ok = p.quantizeAdd(n, x, from, to)
	case is(n, "GlobalAveragePool"):
		n.SetIn(0, x)
		setScales(n, "x", from, "y", to)
		n.Domain, n.OpType = onnx.Private, "QuantMean"
	case is(n, "MaxPool") && from == to && (x.Type.Rank() == 3 || x.Type.Rank() == 4):
		n.SetIn(0, x)
		n.Domain, n.OpType = onnx.Private, "QuantMax"
	case from == to && (is(n, "Flatten") || is(n, "Reshape") || is(n, "Transpose") || is(n, "Squeeze") || is(n, "Unsqueeze")):
		n.SetIn(0, x)
	default:
		ok = false
	}
	if ok {
		p.conclude(g, n, q, relu)
	}
}

// conclude lets n succeed q, and a Relu between them; both go.
func (p *optimiser) conclude(g *onnx.Graph, n, q, relu *onnx.Node) {
	n.Out(0).Type = q.Out(0).Type.Clone()
	if relu != nil {
		n.Origin = append(slices.Clip(origin(n)), origin(relu)...)
	}
	p.succeed(n, q)
	g.Remove(q)
	if relu != nil {
		g.Remove(relu)
	}
}

func setScales(n *onnx.Node, list ...any) {
	for i := 0; i < len(list); i += 2 {
		name, s := list[i].(string), list[i+1].(byteScale)
		n.SetAttr(onnx.Float(name+"_scale", s.step))
		n.SetAttr(onnx.Int(name+"_zero", s.zero))
	}
}

func (p *optimiser) quantizeAdd(n *onnx.Node, a *onnx.Value, sa, to byteScale) bool {
	b, sb, ok := p.dequantized(n.In(1))
	if !ok || !fixedBut0(a.Type) || !slices.Equal(a.Type.Shape, b.Type.Shape) {
		return false
	}
	n.SetIn(0, a)
	n.SetIn(1, b)
	setScales(n, "a", sa, "b", sb, "y", to)
	n.Domain, n.OpType = onnx.Private, "QuantAdd"
	return true
}

// fixedBut0 reports whether all sizes are known, or all but a named first one.
func fixedBut0(t onnx.Type) bool {
	for i, d := range t.Shape {
		if !d.IsFixed() && (i > 0 || d.Name == "") {
			return false
		}
	}
	return t.Ranked
}

// layer is what makes a convolution or a dense layer one of bytes.
type layer struct {
	weights, scales, bias *onnx.Value
}

// layerOf reads the weights and the bias of n, inputs 1 and 2, for an input and a result in the given scales.
func (p *optimiser) layerOf(n *onnx.Node, from, to byteScale) (l layer, ok bool) {
	w := n.In(1)
	if w == nil || w.Node() == nil || !is(w.Node(), "DequantizeLinear") || w.Node().Int("block_size", 0) != 0 {
		return l, false
	}
	d := w.Node()
	if axis := d.Int("axis", 1); axis != 0 && axis != -int64(w.Type.Rank()) && d.In(1).Type.Rank() > 0 {
		return l, false
	}
	l, steps := p.weightsOf(d.In(0), d.In(1), d.In(2), from, to)
	if steps == nil {
		return l, false
	}
	if n.In(2) != nil {
		if l.bias = p.integerBias(n.In(2), steps); l.bias == nil {
			return l, false
		}
	}
	return l, true
}

// weightsOf is a layer without its bias: the bytes w with a scale, or one for each output channel, and zero points. steps is the
// products of the scales of the input and of the weights; nil when there is no such layer.
func (p *optimiser) weightsOf(w, step, zero *onnx.Value, from, to byteScale) (l layer, steps []float32) {
	bytes, scale := p.constant(w), p.constant(step)
	if bytes == nil || bytes.Elem != onnx.Int8 || len(bytes.Shape) < 2 || scale == nil || scale.Elem != onnx.Float32 || !p.zeros(zero) {
		return l, nil
	}
	channels := bytes.Shape[0]
	if n := scale.Len(); n != 1 && n != channels || channels == 0 {
		return l, nil
	}
	steps, scales := make([]float32, channels), make([]float32, channels)
	for i := range steps {
		steps[i] = onnx.Data[float32](scale)[i%scale.Len()] * from.step
		scales[i] = steps[i] / to.step
	}
	t, err := onnx.NewTensor(scales, channels)
	if err != nil {
		return l, nil
	}
	return layer{weights: w, scales: p.g.Initializer(step.Name+"_product", t.Type(), t)}, steps
}

// quantizeLinearConv turns a QLinearConv into a QuantConv.
func (p *optimiser) quantizeLinearConv(n *onnx.Node) {
	x := n.In(0)
	from, ok := p.byteScaleOf(n, 1)
	to, ok2 := p.byteScaleOf(n, 6)
	if !ok || !ok2 || x.Type.Elem != onnx.Uint8 || !convolvesBytes(n, x) || n.In(8) != nil && p.constant(n.In(8)) == nil {
		return
	}
	l, steps := p.weightsOf(n.In(3), n.In(4), n.In(5), from, to)
	if steps == nil {
		return
	}
	l.bias = n.In(8)
	become(n, x, l, from, to)
}

// convolvesBytes reports whether there is a kernel for the convolution n of x.
func convolvesBytes(n *onnx.Node, x *onnx.Value) bool {
	return x.Type.Rank() == 4 && x.Type.Shape[1].IsFixed() && n.Int("group", 1) == 1
}

// zeros reports whether v is left out or a constant of zeros.
func (p *optimiser) zeros(v *onnx.Value) bool {
	if v == nil {
		return true
	}
	t := p.constant(v)
	return t != nil && !slices.ContainsFunc(t.Bytes(), func(b byte) bool { return b != 0 })
}

// integerBias is the integers that the bias v stands for, if their scale is the product of the other two.
func (p *optimiser) integerBias(v *onnx.Value, steps []float32) *onnx.Value {
	d := v.Node()
	if d == nil || !is(d, "DequantizeLinear") || !p.zeros(d.In(2)) {
		return nil
	}
	bias, scale := p.constant(d.In(0)), p.constant(d.In(1))
	if bias == nil || bias.Elem != onnx.Int32 || bias.Len() != len(steps) || scale == nil || scale.Elem != onnx.Float32 ||
		scale.Len() != 1 && scale.Len() != len(steps) {
		return nil
	}
	for i, s := range steps {
		if got := onnx.Data[float32](scale)[i%scale.Len()]; math.Abs(float64(got-s)) > 1e-6*float64(s) {
			return nil
		}
	}
	return d.In(0)
}

// quantizeConv turns a Conv of two image axes into a QuantConv.
func (p *optimiser) quantizeConv(n *onnx.Node, x *onnx.Value, from, to byteScale) bool {
	if !convolvesBytes(n, x) {
		return false
	}
	l, ok := p.layerOf(n, from, to)
	if ok {
		become(n, x, l, from, to)
	}
	return ok
}

// become makes n a QuantConv.
func become(n *onnx.Node, x *onnx.Value, l layer, from, to byteScale) {
	n.TrimIn(0)
	for _, v := range []*onnx.Value{x, l.weights, l.scales, l.bias} {
		if v != nil {
			n.AddIn(v)
		}
	}
	n.SetAttr(onnx.Int("x_zero", from.zero))
	n.SetAttr(onnx.Int("y_zero", to.zero))
	n.Domain, n.OpType = onnx.Private, "QuantConv"
}

// quantizeGemm turns a dense layer into a QuantConv of images of one pixel, between two Reshapes: n becomes the second one.
func (p *optimiser) quantizeGemm(g *onnx.Graph, n *onnx.Node, x *onnx.Value, from, to byteScale) bool {
	if n.Float("alpha", 1) != 1 || n.Float("beta", 1) != 1 || n.Int("transA", 0) != 0 || n.Int("transB", 0) != 1 || x.Type.Rank() != 2 || !x.Type.Shape[1].IsFixed() {
		return false
	}
	l, ok := p.layerOf(n, from, to)
	if !ok {
		return false
	}
	w := p.constant(l.weights)
	reshaped, err := onnx.Borrow(w.Elem, []int{w.Shape[0], w.Shape[1], 1, 1}, w.Bytes())
	if err != nil {
		return false
	}
	l.weights = p.g.Initializer(l.weights.Name+"_pixel", reshaped.Type(), reshaped)
	pixel := func(v *onnx.Value, shape ...int64) *onnx.Value {
		t := onnx.Vector(shape...)
		return p.g.Initializer(v.Name+"_shape", t.Type(), t)
	}
	in := g.Add("", "Reshape", 1, values{x, pixel(x, 0, int64(w.Shape[1]), 1, 1)})
	in.Out(0).Type = onnx.TensorOf(onnx.Uint8, x.Type.Shape[0], x.Type.Shape[1], onnx.Fixed(1), onnx.Fixed(1))
	conv := g.Add(onnx.Private, "QuantConv", 1, nil)
	become(conv, in.Out(0), l, from, to)
	conv.Out(0).Type = onnx.TensorOf(onnx.Uint8, x.Type.Shape[0], onnx.Fixed(w.Shape[0]), onnx.Fixed(1), onnx.Fixed(1))
	in.Origin, conv.Origin, in.Version = origin(n), origin(n), n.Version
	n.TrimIn(0)
	n.AddIn(conv.Out(0))
	n.AddIn(pixel(conv.Out(0), 0, int64(w.Shape[0])))
	n.DropAttr("alpha", "beta", "transA", "transB")
	n.Domain, n.OpType = "", "Reshape"
	return true
}
