package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// place is where a value is read, so that what takes the value's place can be found there.
type place struct {
	old  *onnx.Value
	name string
	use  onnx.Use
	out  int // output of the graph; -1: use says it
}

// places notes one reader of each output of n.
func places(n *onnx.Node, outputs map[*onnx.Value]int) []place {
	var ps []place
	for _, v := range n.Outputs() {
		if v == nil {
			continue
		}
		if i, ok := outputs[v]; ok {
			ps = append(ps, place{old: v, name: v.Name, out: i})
		} else if us := v.Uses(); len(us) > 0 {
			ps = append(ps, place{old: v, name: v.Name, use: us[0], out: -1})
		}
	}
	return ps
}

// keepNames lets the values that now stand in the noted places, and that nodes of g make, have the names that stood there.
func keepNames(ps []place, g *onnx.Graph) {
	for _, p := range ps {
		w := p.old
		if p.out >= 0 {
			w = g.Outputs[p.out]
		} else if p.use.Node != nil {
			w = p.use.Node.In(p.use.Index)
		}
		if w != nil && w != p.old && w.Name != p.name && slices.Contains(g.Nodes, w.Node()) {
			p.old.Name, w.Name = w.Name, p.name
		}
	}
}

func outputNames(g *onnx.Graph) []string {
	names := make([]string, len(g.Outputs))
	for i, v := range g.Outputs {
		if v != nil {
			names[i] = v.Name
		}
	}
	return names
}

// restoreNames gives g's outputs their names back. A value that has a name of its own to keep, an input or what serves as
// two outputs, gets an Identity behind it.
func restoreNames(g *onnx.Graph, names []string) {
	kept := map[*onnx.Value]bool{}
	for i, v := range g.Outputs {
		if v.Name == names[i] {
			kept[v] = true
		}
	}
	for i, v := range g.Outputs {
		if v.Name == names[i] {
			continue
		}
		if v.Node() == nil || kept[v] || v.Graph() != g {
			n := g.Add("", "Identity", 1, values{v})
			n.Out(0).Type = v.Type.Clone()
			v = n.Out(0)
			g.Outputs[i] = v
		}
		v.Name = names[i]
		kept[v] = true
	}
}

// sortFew orders the nodes of g, of which there are few, by the flow of data among them.
func sortFew(g *onnx.Graph) {
	here := make(map[*onnx.Node]bool, len(g.Nodes))
	for _, n := range g.Nodes {
		here[n] = true
	}
	order := make([]*onnx.Node, 0, len(g.Nodes))
	var visit func(*onnx.Node)
	visit = func(n *onnx.Node) {
		here[n] = false
		for _, v := range slices.Concat(n.Inputs(), n.Captures()) {
			if v != nil && v.Node() != nil && here[v.Node()] {
				visit(v.Node())
			}
		}
		order = append(order, n)
	}
	for _, n := range g.Nodes {
		if here[n] {
			visit(n)
		}
	}
	g.Nodes = order
}
