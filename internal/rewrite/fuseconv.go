package rewrite

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// fuseConvs lets Conv add a tensor of its result's shape and apply an activation while its sums are at hand:
// act(Conv(x) + residual). Relu does so for all types; everything else is for float32.
func (p *optimiser) fuseConvs(g *onnx.Graph) {
	p.merge(g, "Add", p.fuseResidual)
	for _, opType := range []string{"Relu", "Clip", "LeakyRelu", "Sigmoid", "Swish", "HardSigmoid", "HardSwish", "Tanh"} {
		p.merge(g, opType, p.fuseActivation)
	}
}

// fuseResidual makes a Conv and the Add of a tensor of the same shape one operator. Of two such Convs the later one takes the
// other's result.
func (p *optimiser) fuseResidual(add *onnx.Node) bool {
	for i := range 2 {
		y, r := add.In(1-i), add.In(i)
		if !p.onlyReader(y, add) || !is(y.Node(), "Conv") || y.Type.Elem != onnx.Float32 || !sameShape(y, r) {
			continue
		}
		n := y.Node()
		for n.NumIn() < 3 {
			n.AddIn(nil)
		}
		n.AddIn(r)
		p.takeOver(n, add, "FusedConv")
		return true
	}
	return false
}

// sameShape reports whether two values are known to have one shape.
func sameShape(v, w *onnx.Value) bool {
	return v != nil && w != nil && v.Type.Ranked && w.Type.Ranked && slices.EqualFunc(v.Type.Shape, w.Type.Shape, onnx.Dim.Same)
}

// fuseActivation makes a Conv and the activation of its result one operator.
func (p *optimiser) fuseActivation(act *onnx.Node) bool {
	x := act.In(0)
	if !p.onlyReader(x, act) || !takesActivation(x.Node()) {
		return false
	}
	relu := is(act, "Relu") && x.Node().In(3) == nil
	if e := x.Type.Elem; e != onnx.Float32 && !(relu && floating(e)) {
		return false
	}
	attrs, ok := p.activation(act)
	if !ok {
		return false
	}
	p.activate(x.Node(), act, attrs)
	return true
}

// activate makes n, a convolution, apply the activation that attrs say in the place of reader.
func (p *optimiser) activate(n, reader *onnx.Node, attrs []onnx.Attribute) {
	p.takeOver(n, reader, "FusedConv")
	for _, a := range attrs {
		n.SetAttr(a)
	}
}

// takesActivation reports whether n is a convolution without an activation.
func takesActivation(n *onnx.Node) bool {
	return is(n, "Conv") || isPrivate(n, "FusedConv") && n.Attr("activation") == nil
}

// activation is what n does as attributes of FusedConv; ok is false for what that cannot do.
func (p *optimiser) activation(n *onnx.Node) (attrs []onnx.Attribute, ok bool) {
	attrs = append(attrs, onnx.Str("activation", n.OpType))
	with := func(alpha, beta float32) ([]onnx.Attribute, bool) {
		return append(attrs, onnx.Float("alpha", alpha), onnx.Float("beta", beta)), true
	}
	switch n.OpType {
	case "Clip":
		low, okLow := p.bound(n.In(1), float32(math.Inf(-1)))
		high, okHigh := p.bound(n.In(2), float32(math.Inf(1)))
		if !okLow || !okHigh || low > high {
			return nil, false
		}
		return with(low, high)
	case "LeakyRelu":
		return with(n.Float("alpha", 0.01), 0)
	case "HardSigmoid":
		return with(n.Float("alpha", 0.2), n.Float("beta", 0.5))
	case "Swish":
		return attrs, n.Float("alpha", 1) == 1
	}
	return attrs, true
}

// bound is the number that v, a bound of Clip, holds: def when v is absent. ok is false when it may change or is not a number.
func (p *optimiser) bound(v *onnx.Value, def float32) (bound float32, ok bool) {
	if v == nil {
		return def, true
	}
	t := p.constant(v)
	if t == nil || t.Elem != onnx.Float32 || t.Len() != 1 {
		return 0, false
	}
	bound = onnx.Data[float32](t)[0]
	return bound, !math.IsNaN(float64(bound))
}
