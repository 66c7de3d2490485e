package rewrite

import "github.com/gneiss-ml/gneiss/onnx"

// fuseProducts lets MatMul with a bias apply an activation while its results are in a near cache: act(x·W + bias). A residual is
// not fused although MatMulAdd could take one: its sums would start from it, and each of their thousands of steps would round at
// the size of the residual instead of the product's, which made the errors of encoders ten times greater.
func (p *optimiser) fuseProducts(g *onnx.Graph) {
	for _, opType := range []string{"Gelu", "Swish", "Sigmoid", "Tanh"} {
		p.merge(g, opType, p.fuseProductActivation)
	}
}

// plainProduct reports whether v, which only reader reads, is a MatMulAdd without an activation, of numbers of full size.
func (p *optimiser) plainProduct(v *onnx.Value, reader *onnx.Node) bool {
	if !p.onlyReader(v, reader) || !isPrivate(v.Node(), "MatMulAdd") || v.Type.Elem != onnx.Float32 && v.Type.Elem != onnx.Float64 {
		return false
	}
	n := v.Node()
	return n.Attr("activation") == nil && n.Attr("relu") == nil
}

// fuseProductActivation makes a MatMulAdd and the activation of its result one operator.
func (p *optimiser) fuseProductActivation(act *onnx.Node) bool {
	x := act.In(0)
	if !p.plainProduct(x, act) || act.Float("alpha", 1) != 1 {
		return false
	}
	n := x.Node()
	p.takeOver(n, act, "MatMulAdd")
	n.SetAttr(onnx.Str("activation", act.OpType))
	if a := act.Str("approximate", "none"); a != "none" {
		n.SetAttr(onnx.Str("approximate", a))
	}
	return true
}
