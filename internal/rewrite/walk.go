package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

type values = []*onnx.Value

// graphs calls do for g and every graph inside it, outer ones first.
func graphs(g *onnx.Graph, do func(*onnx.Graph) error) error {
	if err := do(g); err != nil {
		return err
	}
	for _, n := range g.Nodes {
		for _, s := range n.Subgraphs() {
			if err := graphs(s, do); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkDepth refuses graphs nested deeper than max, without going deeper itself.
func checkDepth(g *onnx.Graph, depth, max int) error {
	if depth > max {
		return &onnx.LimitError{Limit: "subgraph depth", Value: int64(max), Asked: int64(depth), Unit: "graphs"}
	}
	for _, n := range g.Nodes {
		for _, s := range n.Subgraphs() {
			if err := checkDepth(s, depth+1, max); err != nil {
				return err
			}
		}
	}
	return nil
}

// sorted is the nodes of g in an order that respects the flow of data.
func sorted(g *onnx.Graph) ([]*onnx.Node, error) {
	order, ok := onnx.Sorted(g, nil)
	if !ok {
		return nil, onnx.Invalidf("graph %.128q: nodes form a cycle", g.Name)
	}
	return order, nil
}

// ownValues lists the values that belong to g itself: inputs, initializers, outputs of nodes.
func ownValues(g *onnx.Graph) values {
	vs := slices.Concat(g.Inputs, g.Initializers)
	for _, n := range g.Nodes {
		for _, v := range n.Outputs() {
			if v != nil {
				vs = append(vs, v)
			}
		}
	}
	return vs
}

// is reports whether n is the standard's operator of that name.
func is(n *onnx.Node, opType string) bool {
	return n != nil && n.OpType == opType && onnx.IsDefaultDomain(n.Domain)
}

// outputsOf is the outputs of g and of the graphs inside it, and the new values of variables.
func outputsOf(g *onnx.Graph) map[*onnx.Value]bool {
	outputs := map[*onnx.Value]bool{}
	_ = graphs(g, func(s *onnx.Graph) error {
		for _, v := range s.Outputs {
			outputs[v] = true
		}
		for _, u := range s.Updates {
			outputs[u.New] = true
		}
		return nil
	})
	return outputs
}

// replace makes the readers of v read w. outputs, which is kept up to date, spares the walk through all graphs that
// Value.ReplaceUses must make: that adds up where many values are replaced.
func replace(v, w *onnx.Value, outputs map[*onnx.Value]bool) {
	if outputs[v] {
		v.ReplaceUses(w)
		outputs[w] = true
		delete(outputs, v)
		return
	}
	for _, u := range slices.Clone(v.Uses()) {
		if u.Node != w.Node() {
			u.Node.SetIn(u.Index, w)
		}
	}
}
