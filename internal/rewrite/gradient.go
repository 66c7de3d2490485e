package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/autodiff"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
)

// isGradient reports whether n is the standard's Gradient, which names the values that it differentiates.
func isGradient(n *onnx.Node) bool {
	return n.OpType == "Gradient" && n.Domain == "ai.onnx.preview.training"
}

// isGradientOf reports whether n is a Gradient that reads these values.
func isGradientOf(n *onnx.Node) bool { return n.OpType == "GradientOf" && n.Domain == onnx.Private }

// bindGradients gives m, or a copy of it in which each Gradient reads the values that it names, in m's functions too, so that
// nothing that happens to a graph can lose them.
func bindGradients(m *onnx.Model) (*onnx.Model, error) {
	all := func(m *onnx.Model) []*onnx.Graph {
		gs := []*onnx.Graph{m.Graph}
		for _, f := range m.Functions {
			gs = append(gs, f.Body)
		}
		return gs
	}
	has := false
	for _, g := range all(m) {
		_ = graphs(g, func(s *onnx.Graph) error {
			has = has || slices.ContainsFunc(s.Nodes, isGradient)
			return nil
		})
	}
	if !has {
		return m, nil
	}
	m = m.Copy()
	for _, g := range all(m) {
		err := graphs(g, func(s *onnx.Graph) error {
			for _, n := range s.Nodes {
				if !isGradient(n) {
					continue
				}
				if err := bindGradient(n); err != nil {
					return onnx.At(n, err)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

// bindGradient makes a GradientOf of n.
func bindGradient(n *onnx.Node) error {
	lists := map[string][]string{}
	for _, a := range n.Attrs {
		lists[a.Name] = a.Strings
		if a.Name == "y" {
			lists["y"] = []string{a.S}
		}
		if a.Ref != "" {
			return onnx.Unsupportedf("attribute %.128q that refers to an attribute of a function is not supported", a.Name)
		}
	}
	xs, names := lists["xs"], slices.Concat(lists["xs"], lists["zs"], lists["y"])
	switch {
	case len(xs) == 0 || len(lists["y"]) == 0:
		return onnx.Invalidf("expected attributes xs and y with the names of values")
	case n.NumIn() != len(names)-1 || slices.Contains(n.Inputs(), nil):
		return onnx.Invalidf("expected %d inputs, as many as xs and zs, received %d", len(names)-1, n.NumIn())
	case n.NumOut() > len(xs):
		return onnx.Invalidf("expected up to %d outputs, as many as xs, received %d", len(xs), n.NumOut())
	}
	known := map[string]*onnx.Value{}
	for g := n.Graph(); g != nil; g = g.Outer {
		for _, v := range ownValues(g) {
			if known[v.Name] == nil {
				known[v.Name] = v
			}
		}
	}
	for _, name := range names {
		if known[name] == nil {
			return onnx.Invalidf("value %.128q is not known", name)
		}
		n.AddIn(known[name])
	}
	n.Domain, n.OpType, n.Attrs = onnx.Private, "GradientOf", []onnx.Attribute{onnx.Int("xs", int64(len(xs)))}
	return nil
}

// takeGradients writes the reverse pass in the place of each GradientOf of g and of its subgraphs, whose nodes stand in order
// and are in their newest forms.
func (p *preparer) takeGradients(g *onnx.Graph) error {
	found := false
	for _, n := range slices.Clone(g.Nodes) {
		for _, s := range n.Subgraphs() {
			if err := p.takeGradients(s); err != nil {
				return err
			}
		}
		if !isGradientOf(n) {
			continue
		}
		found = true
		if err := p.takeGradient(n); err != nil {
			return onnx.At(n, err)
		}
	}
	if !found {
		return nil
	}
	p.hoist = p.hoist || g.Outer != nil
	var err error
	g.Nodes, err = sorted(g)
	return err
}

// maxGradients bounds the gradients of a model: each looks at the whole graph.
const maxGradients = 1000

func (p *preparer) takeGradient(n *onnx.Node) error {
	if err := p.o.err(); err != nil {
		return err
	}
	if p.gradients++; p.gradients > maxGradients {
		return &onnx.LimitError{Limit: "gradients asked for by name", Value: maxGradients, Asked: int64(p.gradients), Unit: "gradients"}
	}
	g := n.Graph()
	k := n.NumIn() / 2
	points, of, y := n.Inputs()[:k], n.Inputs()[k:2*k], n.In(2*k)
	wanted := int(n.Int("xs", 0))
	for _, v := range append(slices.Clone(of[:wanted]), y) {
		if !v.Type.Elem.IsFloat() {
			return onnx.Invalidf("value %.128q of type %v has no gradient", v.Name, v.Type)
		}
	}
	first, size := len(g.Nodes), compose.Size(g)
	b := p.f.Builder(g)
	for i, v := range points { // values of their own, which depend on nothing
		points[i] = b.Op("Identity", values{v})
	}
	if err := b.Err(); err != nil {
		return err
	}
	body := between(of, y)
	outs, copied := body.Inline(g, points)
	for _, m := range body.Nodes {
		copied.Nodes[m].ID = m.ID // random numbers are those of the first time
	}
	body.Remove(slices.Clone(body.Nodes)...)
	dys := values{nil}
	if outs[0].Type.Rank() != 0 {
		dys[0] = ops.Ones(b, outs[0])
	}
	dxs, err := autodiff.Gradients(b, p.set, outs, dys, points[:wanted])
	if err != nil {
		return err
	}
	p.putGradients(b, n, points, dxs)
	for _, m := range g.Nodes[first-1:] {
		m.Origin = origin(n)
	}
	made := compose.Size(g) - size
	if p.nodes += int(made); p.nodes > p.limit {
		return &onnx.LimitError{Limit: "nodes after inlining", Value: int64(p.limit), Asked: int64(p.nodes), Unit: "nodes"}
	}
	if err := b.Err(); err != nil {
		return err
	}
	return p.o.charge(made * inlinedBytes)
}

// putGradients lets the readers of n's outputs read dxs and removes n. What y does not depend on has the gradient zero.
func (p *preparer) putGradients(b *onnx.Builder, n *onnx.Node, points, dxs values) {
	g, outputs := b.Graph, map[*onnx.Value]int{}
	for i, v := range g.Outputs {
		outputs[v] = i
	}
	was := places(n, outputs)
	for i, v := range n.Outputs() {
		if v == nil {
			continue
		}
		d := dxs[i]
		if d == nil {
			d = ops.Zeros(b, points[i])
		}
		if d.Node() == nil || d.Graph() != g || slices.Contains(dxs[:i], d) {
			d = b.Op("Identity", values{d})
		}
		v.ReplaceUses(d)
	}
	keepNames(was, g)
	g.Remove(n)
}

// between is a graph with the inputs xs that computes y by copies of nodes of y's graph; it reads whatever else they read.
func between(xs []*onnx.Value, y *onnx.Value) *onnx.Graph {
	g := y.Graph()
	inputs, outputs, initializers, updates, nodes := g.Inputs, g.Outputs, g.Initializers, g.Updates, g.Nodes
	g.Inputs, g.Outputs, g.Initializers, g.Updates, g.Nodes = nil, values{y}, nil, nil, ancestors(xs, y)
	part, copied := g.Copy(g)
	g.Inputs, g.Outputs, g.Initializers, g.Updates, g.Nodes = inputs, outputs, initializers, updates, nodes

	instead := map[*onnx.Value]*onnx.Value{}
	for v, w := range copied.Values {
		if w.Node() == nil && w.Graph() == part {
			instead[w] = v
		}
	}
	for _, x := range xs {
		in := part.Input(x.Name, x.Type.Clone())
		if instead[x] == nil {
			instead[x] = in
		}
		if w := copied.Values[x]; w != nil {
			instead[w] = instead[x]
		}
	}
	exchange(part, instead)
	return part
}

// ancestors lists the nodes of y's graph on the ways from xs to y.
func ancestors(xs []*onnx.Value, y *onnx.Value) []*onnx.Node {
	g, from, before := y.Graph(), map[*onnx.Value]bool{}, map[*onnx.Node]bool{}
	for _, x := range xs {
		from[x] = true
	}
	for stack := (values{y}); len(stack) > 0; {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if v == nil || from[v] || v.Node() == nil || v.Graph() != g || before[v.Node()] {
			continue
		}
		before[v.Node()] = true
		stack = append(append(stack, v.Node().Inputs()...), v.Node().Captures()...)
	}
	order, _ := onnx.Sorted(g, nil)
	return slices.DeleteFunc(order, func(n *onnx.Node) bool {
		reads := slices.Concat(n.Inputs(), n.Captures())
		if !before[n] || !slices.ContainsFunc(reads, func(v *onnx.Value) bool { return from[v] }) {
			return true
		}
		for _, v := range n.Outputs() {
			if v != nil {
				from[v] = true
			}
		}
		return false
	})
}

// exchange makes the nodes and outputs of g, and those of its subgraphs, read other values instead.
func exchange(g *onnx.Graph, instead map[*onnx.Value]*onnx.Value) {
	_ = graphs(g, func(s *onnx.Graph) error {
		for _, n := range s.Nodes {
			for i, v := range n.Inputs() {
				if w := instead[v]; w != nil {
					n.SetIn(i, w)
				}
			}
		}
		for i, v := range s.Outputs {
			if w := instead[v]; w != nil {
				s.Outputs[i] = w
			}
		}
		return nil
	})
}
