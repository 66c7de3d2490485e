package compose

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// Call replaces n, a call of f, by a copy of f's body, with n's attributes in the place of references to them. New nodes
// stand at the end of n's graph, have the versions that the function imports, and carry n's number as their origin. n must
// not itself hold references to attributes.
//
// The error is of the invalid kind: too many inputs, a missing attribute, an output that the body leaves absent.
func Call(n *onnx.Node, f *onnx.Function) ([]*onnx.Node, error) {
	made, err := expand(n, f, nil)
	n.Graph().Remove(n)
	return made, err
}

// expand is Call without the removal of n. outputs, when not nil, is kept up to date.
func expand(n *onnx.Node, f *onnx.Function, outputs borders) ([]*onnx.Node, error) {
	if n.NumIn() > len(f.Body.Inputs) || n.NumOut() > len(f.Body.Outputs) {
		return nil, onnx.Invalidf("function %.128q has %d inputs and %d outputs, called with %d and %d", f.Name,
			len(f.Body.Inputs), len(f.Body.Outputs), n.NumIn(), n.NumOut())
	}
	g := n.Graph()
	first := len(g.Nodes)
	outs, copied := f.Body.Inline(g, n.Inputs())
	made := slices.Clone(g.Nodes[first:])
	b := binder{call: n, f: f, nodes: copied.Nodes}
	if err := b.graph(f.Body); err != nil {
		return made, err
	}
	outputs.add(made)
	for i, v := range n.Outputs() {
		switch {
		case v == nil:
		case outs[i] != nil:
			outputs.replace(v, outs[i])
			rename(v, outs[i], f.Body.Outputs[i])
		case v.Used():
			return made, onnx.Invalidf("output %d of function %.128q is absent", i, f.Name)
		}
	}
	return made, nil
}

// borders is the outputs of all graphs within one. It spares the walk through all of them that Value.ReplaceUses must make:
// that adds up where many calls are expanded.
type borders map[*onnx.Value]bool

// graph adds the outputs of g and of the graphs inside it.
func (b borders) graph(g *onnx.Graph) {
	for _, v := range g.Outputs {
		b[v] = true
	}
	for _, u := range g.Updates {
		b[u.New] = true
	}
	b.add(g.Nodes)
}

// add adds the outputs of the graphs inside nodes.
func (b borders) add(nodes []*onnx.Node) {
	if b == nil {
		return
	}
	for _, n := range nodes {
		for _, s := range n.Subgraphs() {
			b.graph(s)
		}
	}
}

// replace makes the readers of v read w.
func (b borders) replace(v, w *onnx.Value) {
	if b == nil || b[v] {
		v.ReplaceUses(w)
		if b != nil {
			b[w] = true
		}
		return
	}
	for _, u := range slices.Clone(v.Uses()) {
		if u.Node != w.Node() {
			u.Node.SetIn(u.Index, w)
		}
	}
}

// rename lets w, which takes the place of v, have v's name when the body made it.
func rename(v, w, inBody *onnx.Value) {
	if inBody.Node() != nil && w.Node() != nil && w.Graph() == v.Graph() {
		v.Name, w.Name = w.Name, v.Name
	}
}

// binder puts the attributes of a call in the place of references to them.
type binder struct {
	call  *onnx.Node
	f     *onnx.Function
	nodes map[*onnx.Node]*onnx.Node
}

// graph walks a graph of the function; its nodes' copies are changed.
func (b *binder) graph(g *onnx.Graph) error {
	for _, n := range g.Nodes {
		m := b.nodes[n]
		m.Origin = []int{b.call.ID}
		if b.call.Origin != nil {
			m.Origin = b.call.Origin
		}
		if err := b.node(m); err != nil {
			return onnx.At(b.call, err)
		}
		for _, s := range n.Subgraphs() {
			if err := b.graph(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *binder) node(m *onnx.Node) error {
	kept := m.Attrs[:0]
	for _, a := range m.Attrs {
		if a.Ref == "" {
			kept = append(kept, a)
			continue
		}
		val := b.attr(a.Ref)
		if val == nil {
			continue
		}
		if a.Kind != onnx.AttrUndefined && val.Kind != a.Kind {
			return onnx.Invalidf("attribute %.128q: expected kind %d, received %d", a.Ref, a.Kind, val.Kind)
		}
		kept = append(kept, place(val, a.Name, m.Graph()))
	}
	m.Attrs = kept
	return nil
}

// attr is the attribute called name: the call's, else the default; nil when there is none, and the attribute that refers to
// it is then absent.
func (b *binder) attr(name string) *onnx.Attribute {
	if a := b.call.Attr(name); a != nil {
		return a
	}
	for i := range b.f.Defaults {
		if b.f.Defaults[i].Name == name {
			return &b.f.Defaults[i]
		}
	}
	return nil
}

// place copies an attribute under another name; graphs get copies of their own inside outer.
func place(a *onnx.Attribute, name string, outer *onnx.Graph) onnx.Attribute {
	c := *a
	c.Name, c.Ref = name, ""
	if c.G != nil {
		c.G, _ = c.G.Copy(outer)
	}
	c.Graphs = slices.Clone(c.Graphs)
	for i, g := range c.Graphs {
		c.Graphs[i], _ = g.Copy(outer)
	}
	return c
}
