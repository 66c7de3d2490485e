package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// fuse lets products do what would follow them while their results are in registers: MatMul the Add of a bias; Gemm and that
// MatMul a Relu; Conv what fuseConvs says. The operators that do both are private and have no gradient, so this comes after
// autodiff. A gradient that reads the result of Relu does not mind.
func (p *optimiser) fuse() error {
	return graphs(p.g, func(g *onnx.Graph) error {
		p.fuseConvs(g)
		p.merge(g, "Add", p.fuseBias)
		p.fuseProducts(g)
		p.merge(g, "Relu", p.fuseRelu)
		return nil
	})
}

// merge removes the nodes of g, standard operators called opType, that another node can take over.
func (p *optimiser) merge(g *onnx.Graph, opType string, fuse func(*onnx.Node) bool) {
	var gone []*onnx.Node
	for _, n := range g.Nodes {
		if is(n, opType) && n.Out(0) != nil && fuse(n) {
			gone = append(gone, n)
		}
	}
	g.Remove(gone...)
}

// onlyReader reports whether n, of v's own graph, is all that reads v.
func (p *optimiser) onlyReader(v *onnx.Value, n *onnx.Node) bool {
	return v != nil && v.Node() != nil && len(v.Uses()) == 1 && !p.outputs[v] && v.Node().Graph() == n.Graph()
}

// takeOver makes n the private operator that does what n and its only reader do, whose output it gets.
func (p *optimiser) takeOver(n, reader *onnx.Node, opType string) {
	n.Domain, n.OpType = onnx.Private, opType
	p.succeed(n, reader)
}

// succeed gives n's result the name and the readers of the result of reader, whose work n now does.
func (p *optimiser) succeed(n, reader *onnx.Node) {
	n.Origin = append(slices.Clip(origin(n)), origin(reader)...)
	v, y := reader.Out(0), n.Out(0)
	v.Name, y.Name = y.Name, v.Name
	replace(v, y, p.outputs)
}

// fuseBias makes MatMul by a matrix and the Add of a row one operator. The sums start from the row, so that they round once
// less.
func (p *optimiser) fuseBias(add *onnx.Node) bool {
	for i := range 2 {
		y, bias := add.In(i), add.In(1-i)
		if !p.onlyReader(y, add) || !isBias(y.Node(), bias) {
			continue
		}
		n := y.Node()
		n.AddIn(bias)
		p.takeOver(n, add, "MatMulAdd")
		return true
	}
	return false
}

// isBias reports whether n is a MatMul of floating-point numbers by a matrix of as many columns as v, a vector, has elements.
func isBias(n *onnx.Node, v *onnx.Value) bool {
	if !is(n, "MatMul") || v == nil || v.Type.Rank() != 1 || !floating(v.Type.Elem) {
		return false
	}
	b := n.In(1).Type
	return b.Rank() == 2 && n.In(0).Type.Rank() >= 2 && b.Shape[1].IsFixed() && b.Shape[1] == v.Type.Shape[0]
}

func floating(e onnx.ElemType) bool {
	switch e {
	case onnx.Float16, onnx.BFloat16, onnx.Float32, onnx.Float64:
		return true
	}
	return false
}

// fuseRelu makes an operator and the Relu of its result one. Results keep their bits.
func (p *optimiser) fuseRelu(relu *onnx.Node) bool {
	x := relu.In(0)
	if !p.onlyReader(x, relu) || !floating(relu.Out(0).Type.Elem) {
		return false
	}
	n := x.Node()
	switch {
	case is(n, "Gemm") && n.Float("alpha", 1) == 1:
		p.takeOver(n, relu, "GemmRelu")
	case isPrivate(n, "MatMulAdd") && n.Attr("activation") == nil:
		p.takeOver(n, relu, "MatMulAdd")
		n.SetAttr(onnx.Int("relu", 1))
	default:
		return false
	}
	return true
}
