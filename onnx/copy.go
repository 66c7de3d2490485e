package onnx

import (
	"maps"
	"slices"
)

// Copied maps the parts of a graph to the parts of its copy.
type Copied struct {
	Values map[*Value]*Value
	Nodes  map[*Node]*Node
}

// Copy copies g. Contents of initializers are shared, as are values of enclosing graphs that g reads; outer becomes the
// enclosing graph of the copy and may be nil.
func (g *Graph) Copy(outer *Graph) (*Graph, Copied) {
	c := copier{src: g, Copied: Copied{map[*Value]*Value{}, map[*Node]*Node{}}}
	return c.graph(g, outer), c.Copied
}

// Inline copies g's nodes to the end of into, with args for g's inputs, and returns what became of g's outputs.
func (g *Graph) Inline(into *Graph, args []*Value) ([]*Value, Copied) {
	c := copier{src: g, rename: true, Copied: Copied{map[*Value]*Value{}, map[*Node]*Node{}}}
	for i, v := range g.Inputs {
		if i < len(args) {
			c.Values[v] = args[i]
		} else {
			c.Values[v] = nil
		}
	}
	c.fill(into, g)
	outs := make([]*Value, len(g.Outputs))
	for i, v := range g.Outputs {
		outs[i] = c.value(v, into)
	}
	return outs, c.Copied
}

type copier struct {
	Copied
	src    *Graph
	rename bool // names and numbers are made anew: the copy lands in a graph that has its own
}

func (c *copier) graph(g, outer *Graph) *Graph {
	d := &Graph{Name: g.Name, Doc: g.Doc, Outer: outer, Opsets: slices.Clone(g.Opsets), Metadata: slices.Clone(g.Metadata)}
	switch {
	case outer != nil:
		d.names = outer.names
	default:
		d.names = &names{used: maps.Clone(g.names.used), ids: g.names.ids}
	}
	for _, v := range g.Inputs {
		d.Inputs = append(d.Inputs, c.value(v, d))
	}
	c.fill(d, g)
	for _, v := range g.Outputs {
		d.Outputs = append(d.Outputs, c.value(v, d))
	}
	for _, u := range g.Updates {
		d.Updates = append(d.Updates, Update{c.value(u.Var, d), c.value(u.New, d)})
	}
	d.info = g.info
	return d
}

// fill copies initializers and nodes.
func (c *copier) fill(d, g *Graph) {
	for _, v := range g.Initializers {
		d.Initializers = append(d.Initializers, c.value(v, d))
	}
	for _, n := range g.Nodes {
		d.Nodes = append(d.Nodes, c.node(n, d))
	}
}

func (c *copier) value(v *Value, d *Graph) *Value {
	if v == nil {
		return nil
	}
	if w, ok := c.Values[v]; ok {
		return w
	}
	if !c.src.owns(v) {
		return v
	}
	w := &Value{Name: v.Name, Type: v.Type.Clone(), Doc: v.Doc, Init: v.Init, Sparse: v.Sparse, graph: d, index: v.index, init: v.init}
	if c.rename {
		w.Name = d.Unique(v.Name)
	}
	c.Values[v] = w
	return w
}

func (c *copier) node(n *Node, d *Graph) *Node {
	m := &Node{
		Name: n.Name, Domain: n.Domain, OpType: n.OpType, Overload: n.Overload, Doc: n.Doc, Attrs: slices.Clone(n.Attrs),
		Metadata: n.Metadata, ID: n.ID, Origin: n.Origin, Version: n.Version, graph: d, present: n.present, unknown: n.unknown,
	}
	if c.rename {
		d.names.ids++
		m.ID, m.Name = d.names.ids, d.Unique(n.Label())
		if m.Version == 0 {
			m.Version = n.Opset()
		}
	}
	c.Nodes[n] = m
	for _, s := range n.in {
		m.AddIn(c.value(s.v, d))
	}
	for i := range m.Attrs {
		a := &m.Attrs[i]
		if a.G != nil {
			a.G = c.graph(a.G, d)
		}
		for j, s := range a.Graphs {
			if j == 0 {
				a.Graphs = slices.Clone(a.Graphs)
			}
			a.Graphs[j] = c.graph(s, d)
		}
	}
	for _, s := range n.out {
		w := c.value(s.v, d)
		if w != nil {
			w.node, w.graph = m, d
		}
		m.out = append(m.out, slot{v: w})
	}
	return m
}
