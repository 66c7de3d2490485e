package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// identities removes nodes whose output is their input.
func (p *optimiser) identities() error {
	return graphs(p.g, func(g *onnx.Graph) error {
		order, err := sorted(g)
		if err != nil {
			return err
		}
		var gone []*onnx.Node
		for _, n := range order {
			if err := p.o.err(); err != nil {
				return err
			}
			if v, w := n.Out(0), n.In(0); v != nil && w != nil && p.doesNothing(n) && p.substitute(v, w) {
				gone = append(gone, n)
			}
		}
		g.Remove(gone...)
		return nil
	})
}

// doesNothing reports whether output 0 of n is input 0 and no other output is read.
func (p *optimiser) doesNothing(n *onnx.Node) bool {
	if n.Domain != "" || n.NumOut() > 1 && n.Out(1) != nil && p.read(n.Out(1)) {
		return false
	}
	switch n.OpType {
	case "Identity":
		return true
	case "Dropout":
		return n.In(2) == nil || p.isFalse(n.In(2))
	case "Cast":
		return n.In(0).Type.IsTensor() && n.In(0).Type.Elem == onnx.ElemType(n.Int("to", 0))
	case "Concat":
		return n.NumIn() == 1
	case "Transpose":
		perm, ok := n.Ints("perm")
		return ok && slices.IsSorted(perm) && len(perm) > 0
	}
	return false
}

func (p *optimiser) isFalse(v *onnx.Value) bool {
	t := p.constant(v)
	return t != nil && t.Elem == onnx.Bool && t.Len() == 1 && !onnx.Data[bool](t)[0]
}

// substitute lets w take the place of v, the output of a node that does nothing. It reports false where v must stay: an
// output needs a value of its own, which a node of the same graph makes.
func (p *optimiser) substitute(v, w *onnx.Value) bool {
	if p.outputs[v] {
		if p.outputs[w] || w.Node() == nil || w.Graph() != v.Graph() {
			return false
		}
		v.Name, w.Name = w.Name, v.Name
	}
	replace(v, w, p.outputs)
	return true
}
