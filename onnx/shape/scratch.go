package shape

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
)

// standardBody infers n through the body that the standard gives its operator.
func (f *Inferrer) standardBody(n *onnx.Node, def *opdef.Def) error {
	if !HasBody(n, def) {
		return onnx.Unsupportedf("operator %.128q is not supported", n.Operator())
	}
	return f.scratch(n, nil, func(m *onnx.Node) error { return Expand(f.Builder(m.Graph()), m, def) })
}

// through infers n by inferring the body of the function that it calls, on a scratch graph. The body may call fs.
func (f *Inferrer) through(n *onnx.Node, call *onnx.Function, fs *compose.Functions) error {
	return f.scratch(n, fs, func(m *onnx.Node) error {
		_, err := compose.Call(m, call)
		return err
	})
}

// older infers n, a node of an older version, by upgrading a copy of it on a scratch graph.
func (f *Inferrer) older(n *onnx.Node, def *opdef.Def) error {
	return f.scratch(n, f.Functions, func(m *onnx.Node) error {
		_, err := Upgrade(f.Builder(m.Graph()), m, def, nil)
		return err
	})
}

// scratch puts a copy of n into a graph of its own, lets change rewrite it, infers the graph and gives n's outputs the
// types of what stands in their place.
func (f *Inferrer) scratch(n *onnx.Node, fs *compose.Functions, change func(*onnx.Node) error) error {
	g := onnx.NewGraph("scratch", nil)
	setNewest(g)
	m := f.copyNode(g, n)
	defer f.discard(g)
	g.Outputs = m.Outputs()
	if err := change(m); err != nil {
		return err
	}
	inner := f.inner(fs)
	if err := inner.Graph(g); err != nil {
		return err
	}
	for i, v := range g.Outputs {
		if v != nil {
			f.set1(n, i, v.Type, inner.Ints(v))
		}
	}
	return nil
}

// discard forgets a scratch graph: what its subgraphs captured is no longer read by them.
func (f *Inferrer) discard(g *onnx.Graph) {
	for _, v := range slices.Concat(g.Inputs, g.Initializers) {
		delete(f.ints, v)
	}
	for _, n := range g.Nodes {
		for _, v := range n.Outputs() {
			delete(f.ints, v)
		}
	}
	g.Remove(slices.Clone(g.Nodes)...)
}

// inner is an Inferrer for a scratch graph, whose nodes may call fs: it shares the contents that are known.
func (f *Inferrer) inner(fs *compose.Functions) *Inferrer {
	c := *f
	c.bodies, c.Hints, c.Functions = map[*onnx.Graph]*body{}, false, fs
	return &c
}

// copyNode copies n into g, with inputs of the same types and contents.
func (f *Inferrer) copyNode(g *onnx.Graph, n *onnx.Node) *onnx.Node {
	copies := map[*onnx.Value]*onnx.Value{}
	ins := n.Inputs()
	for i, v := range ins {
		if v == nil {
			continue
		}
		if copies[v] == nil {
			if t := f.constant(v); t != nil {
				copies[v] = g.Initializer(v.Name, v.Type.Clone(), t)
			} else {
				copies[v] = g.Input(v.Name, v.Type.Clone())
			}
			if d := f.ints[v]; d != nil {
				f.ints[copies[v]] = d
			}
		}
		ins[i] = copies[v]
	}
	m := g.Add(n.Domain, n.OpType, n.NumOut(), ins)
	m.Version = n.Opset()
	for i := n.NumOut() - 1; i >= 0; i-- {
		if n.Out(i) == nil {
			m.DropOut(i)
		}
	}
	for _, a := range n.Attrs {
		m.Attrs = append(m.Attrs, copyAttr(a, g))
	}
	return m
}

// copyAttr copies an attribute; graphs become graphs inside g that read the same outer values.
func copyAttr(a onnx.Attribute, g *onnx.Graph) onnx.Attribute {
	if a.G != nil {
		a.G, _ = a.G.Copy(g)
	}
	graphs := a.Graphs
	a.Graphs = nil
	for _, s := range graphs {
		c, _ := s.Copy(g)
		a.Graphs = append(a.Graphs, c)
	}
	return a
}

// Body gives the standard's body of n as a graph in the newest forms of operators and with types; args are the values that
// stand for its inputs. Integer constants that n reads are constants in it. It is not part of n's graph, which stays as it
// is; its nodes are to be removed when it has served, since they may read what n's subgraphs capture.
func (f *Inferrer) Body(n *onnx.Node, def *opdef.Def) (g *onnx.Graph, args []*onnx.Value, err error) {
	was := f.Variable
	f.Variable = func(v *onnx.Value) bool { return v.Type.Elem.IsFloat() || was != nil && was(v) }
	defer func() { f.Variable = was }()
	g = onnx.NewGraph(n.OpType, nil)
	setNewest(g)
	m := f.copyNode(g, n)
	for _, v := range n.Inputs() {
		if v != nil && f.constant(v) == nil && !slices.Contains(args, v) {
			args = append(args, v)
		}
	}
	g.Outputs = m.Outputs()
	if err := Expand(f.Builder(g), m, def); err != nil {
		return nil, nil, err
	}
	return g, args, f.newestForms(g)
}

// newestForms upgrades and infers the nodes of g.
func (f *Inferrer) newestForms(g *onnx.Graph) error {
	order, ok := onnx.Sorted(g, nil)
	if !ok {
		return onnx.Invalidf("graph %.128q: nodes form a cycle", g.Name)
	}
	b := f.Builder(g)
	for _, n := range order {
		if def := f.set.Find(n.Domain, n.OpType); def != nil {
			if _, err := Upgrade(b, n, def, f.Variable); err != nil {
				return onnx.At(n, err)
			}
		}
		if slices.Contains(g.Nodes, n) {
			if err := f.Node(n); err != nil {
				return onnx.At(n, err)
			}
		}
	}
	return b.Err()
}
