package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// dead removes nodes and constants that nobody reads and, from level 1 on, optional outputs that nobody reads.
func (p *optimiser) dead() error {
	if err := p.deadNodes(p.g); err != nil {
		return err
	}
	p.g.Initializers = slices.DeleteFunc(p.g.Initializers, func(v *onnx.Value) bool {
		return !p.read(v) && !p.inputs[v] && !p.o.isVariable(v) && !slices.ContainsFunc(p.g.Updates, func(u onnx.Update) bool { return u.Var == v })
	})
	return nil
}

// read reports whether somebody reads v.
func (p *optimiser) read(v *onnx.Value) bool { return len(v.Uses()) > 0 || p.outputs[v] }

// deadNodes walks against the flow of data, so that what only a dead node read is dead when its turn comes.
func (p *optimiser) deadNodes(g *onnx.Graph) error {
	order, err := sorted(g)
	if err != nil {
		return err
	}
	var gone []*onnx.Node
	for _, n := range slices.Backward(order) {
		if !slices.ContainsFunc(n.Outputs(), func(v *onnx.Value) bool { return v != nil && p.read(v) }) {
			releaseInputs(n)
			gone = append(gone, n)
			continue
		}
		if p.o.Level >= 1 {
			p.dropOutputs(n)
		}
		for _, s := range n.Subgraphs() {
			if err := p.deadNodes(s); err != nil {
				return err
			}
		}
	}
	g.Remove(gone...)
	return nil
}

// releaseInputs makes n and the nodes inside it read nothing.
func releaseInputs(n *onnx.Node) {
	n.TrimIn(0)
	for _, s := range n.Subgraphs() {
		for _, m := range s.Nodes {
			releaseInputs(m)
		}
	}
}

// dropOutputs makes optional outputs that nobody reads absent, so that they are not computed.
func (p *optimiser) dropOutputs(n *onnx.Node) {
	def := p.set.Find(n.Domain, n.OpType)
	if def == nil {
		return
	}
	s, ok := def.Facts(n.Opset())
	if !ok {
		return
	}
	for i := n.NumOut() - 1; i > 0; i-- {
		v, f := n.Out(i), s.Output(i)
		if v != nil && f != nil && f.Option == schema.Optional && !p.read(v) {
			n.DropOut(i)
		}
	}
}
