package rewrite

import "github.com/gneiss-ml/gneiss/onnx"

// fuseProducts lets MatMul with a bias add a tensor of its result's shape and apply an activation while its results are in a near
// cache: act(x·W + bias + residual).
func (p *optimiser) fuseProducts(g *onnx.Graph) {
	p.merge(g, "Add", p.fuseProductResidual)
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

// fuseProductResidual makes a MatMulAdd and the Add of a tensor of the same shape one operator. Of two products the later one
// takes the other's result.
func (p *optimiser) fuseProductResidual(add *onnx.Node) bool {
	for i := range 2 {
		y, r := add.In(1-i), add.In(i)
		if y == r || !p.plainProduct(y, add) || y.Node().NumIn() != 3 || !sameShape(y, r) {
			continue
		}
		n := y.Node()
		n.AddIn(r)
		p.takeOver(n, add, "MatMulAdd")
		return true
	}
	return false
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
