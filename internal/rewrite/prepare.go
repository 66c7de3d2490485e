package rewrite

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
	"github.com/gneiss-ml/gneiss/onnx/shape"
)

// Prepare makes the private copy of m's graph that plans are built from; m is not changed. In the copy
//
//   - calls of m's functions are replaced by their bodies, and so are operators that have no kernel but a standard body;
//   - every operator is in its newest form, checked against the schema of the version that the model imports;
//   - constants are initializers, and initializers are dense and stand in the outermost graph;
//   - nodes stand in the order of data flow, every value has the type that inference finds, and the outputs of a subgraph
//     are its own values;
//   - gradients that a model asks for by name are computed by nodes;
//   - inputs and outputs keep names and order; nodes keep their numbers, and a node that a pass made carries those of the
//     loaded nodes it came from.
//
// What set does not have is an onnx.NodeError of the unsupported kind that names node, operator, version and reason.
func Prepare(m *onnx.Model, set *opdef.Set, o Options) (*onnx.Graph, error) {
	if m == nil || m.Graph == nil {
		return nil, onnx.Invalidf("the model has no graph")
	}
	if slices.Contains(m.Graph.Outputs, nil) {
		return nil, onnx.Invalidf("graph %.128q: an output is missing", m.Graph.Name)
	}
	max := bound(o.SubgraphDepth, 32)
	if err := checkDepth(m.Graph, 0, max); err != nil {
		return nil, err
	}
	m, err := bindGradients(m)
	if err != nil {
		return nil, err
	}
	fs, err := compose.NewFunctions(m, o.Limits)
	if err != nil {
		return nil, err
	}
	g, _ := m.Graph.Copy(nil)
	names := outputNames(g)
	if err := chargeInlining(fs, g, &o); err != nil {
		return nil, err
	}
	if err := fs.Inline(g); err != nil {
		return nil, err
	}
	if err := checkDepth(g, 0, max); err != nil {
		return nil, err
	}
	if err := normalise(g, m.IRVersion, o.Dims); err != nil {
		return nil, err
	}
	if err := stamp(g); err != nil {
		return nil, err
	}
	p := &preparer{set: set, o: o, f: shape.New(set), limit: bound(o.Limits.Nodes, 200_000)}
	p.f.Variable, p.f.Forgive = o.Variable, true
	p.outputs = outputsOf(g)
	if err := graphs(g, p.flatten); err != nil {
		return nil, err
	}
	if err := shape.CheckInputs(g); err != nil {
		return nil, err
	}
	hoist(g)
	if err := graphs(g, bindOutputs); err != nil {
		return nil, err
	}
	if err := graphs(g, p.known); err != nil {
		return nil, err
	}
	p.nodes = int(compose.Size(g))
	if err := p.graph(g); err != nil {
		return nil, err
	}
	if err := p.takeGradients(g); err != nil {
		return nil, err
	}
	if p.hoist {
		hoist(g)
	}
	restoreNames(g, names)
	return g, nil
}

// preparer brings graphs into the form that Prepare promises.
type preparer struct {
	set          *opdef.Set
	o            Options
	f            *shape.Inferrer
	nodes, limit int
	outputs      map[*onnx.Value]bool // of any graph; kept up to date while constants are replaced
	checked      bool                 // nodes have been held against their schemas; autodiff may have added outputs since
	inner        bool                 // inside a subgraph, whose types the enclosing node has inferred
	hoist        bool                 // a pass has put initializers into subgraphs
	gradients    int                  // asked for by name so far
}

// stamp writes the version that each node means into the node and lets the graph mean the newest ones, so that nodes which
// are added mean those.
func stamp(g *onnx.Graph) error {
	err := graphs(g, func(s *onnx.Graph) error {
		for _, n := range s.Nodes {
			n.Version = n.Opset()
			if first := early[n.OpType]; onnx.IsDefaultDomain(n.Domain) && n.Version < first {
				n.Version = first
			}
			if n.Version == 0 && len(g.Opsets) > 0 && shape.Newest(n.Domain) > 0 {
				return onnx.At(n, onnx.Invalidf("the model imports no version of domain %.128q", n.Domain))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, o := range g.Opsets {
		if v := shape.Newest(o.Domain); v > 0 {
			g.Opsets[i].Version = v
		}
	}
	g.SetOpset("", shape.Newest(""))
	return nil
}

// flatten does what needs no types: initializers become dense, constants become initializers, dialects are lowered.
func (p *preparer) flatten(g *onnx.Graph) error {
	for _, v := range g.Initializers {
		if err := p.initializer(v); err != nil {
			return err
		}
	}
	var gone []*onnx.Node
	b := onnx.NewBuilder(g, nil)
	for _, n := range slices.Clone(g.Nodes) {
		switch {
		case is(n, "Constant"):
			if err := p.constant(n); err != nil {
				return onnx.At(n, err)
			}
		case p.set.Find(n.Domain, n.OpType) != nil || !lowerDialect(b, n, p.outputs):
			continue
		}
		gone = append(gone, n)
	}
	g.Remove(gone...)
	return b.Err()
}

func (p *preparer) initializer(v *onnx.Value) error {
	if v.Sparse != nil && v.Init == nil {
		t, err := p.dense(v.Sparse)
		if err != nil {
			return onnx.Invalidf("initializer %.128q: %w", v.Name, err)
		}
		v.Init, v.Sparse = t, nil
	}
	if v.Init != nil {
		v.Type = v.Init.Type()
	}
	return nil
}

// known refuses operators that nothing is known of, before work is spent on the rest.
func (p *preparer) known(g *onnx.Graph) error {
	for _, n := range g.Nodes {
		if _, err := factsOf(n, p.set.Find(n.Domain, n.OpType)); err != nil {
			return onnx.At(n, err)
		}
	}
	return nil
}

// graph prepares the nodes of g in the order of data flow. Each is worked on alone in g.Nodes, so that replacing it costs
// nothing in a large graph; what takes its place stands where it stood.
func (p *preparer) graph(g *onnx.Graph) error {
	order, err := sorted(g)
	if err != nil {
		return err
	}
	b := p.f.Builder(g)
	outputs := map[*onnx.Value]int{}
	for i, v := range g.Outputs {
		outputs[v] = i
	}
	ready := make([]*onnx.Node, 0, len(order))
	for _, n := range order {
		if err := p.o.err(); err != nil {
			return err
		}
		g.Nodes = []*onnx.Node{n}
		was := places(n, outputs)
		if err := p.step(b, n); err != nil {
			return err
		}
		keepNames(was, g)
		ready = append(ready, g.Nodes...)
	}
	g.Nodes = ready
	return nil
}

// maxRounds bounds how often one node may be rewritten, far above what any operator needs.
const maxRounds = 10_000

// step works on n, alone in its graph, and on what takes its place, until nothing changes.
func (p *preparer) step(b *onnx.Builder, n *onnx.Node) error {
	g, settled := b.Graph, map[*onnx.Node]bool{}
	for round := 0; ; round++ {
		i := slices.IndexFunc(g.Nodes, func(m *onnx.Node) bool { return !settled[m] })
		if i < 0 {
			return nil
		}
		m, before := g.Nodes[i], len(g.Nodes)
		ok, err := p.node(b, m)
		if err == nil {
			err = b.Err()
		}
		if err != nil {
			return onnx.At(m, err)
		}
		if ok {
			settled[m] = true
			continue
		}
		for _, made := range g.Nodes {
			if made != n && made.Origin == nil {
				made.Origin = origin(m)
			}
		}
		if p.nodes += len(g.Nodes) - before; p.nodes > p.limit {
			return onnx.At(n, &onnx.LimitError{Limit: "nodes after inlining", Value: int64(p.limit), Asked: int64(p.nodes), Unit: "nodes"})
		}
		if round > maxRounds {
			return onnx.At(n, onnx.Internalf("rewritten more than %d times", maxRounds))
		}
		sortFew(g)
	}
}

// inlinedBytes is about what a node that inlining makes holds until the plan is there, its value and its step included.
const inlinedBytes = 2048

// chargeInlining pays for the nodes that g will have once its functions are inlined, beyond those that the file has.
func chargeInlining(fs *compose.Functions, g *onnx.Graph, o *Options) error {
	nodes, err := fs.Expanded(g)
	more := nodes - compose.Size(g)
	if err != nil || more <= 0 {
		return err
	}
	if more > math.MaxInt64/inlinedBytes { // the limit of nodes is lifted
		more = math.MaxInt64 / inlinedBytes
	}
	return o.charge(more * inlinedBytes)
}

// node brings n one step nearer to its final form: the newest version, or the standard body where there is no kernel, then
// the types of its outputs. ok is true when there is nothing left to do; otherwise g.Nodes has changed and n, if it is still
// there, is looked at again.
func (p *preparer) node(b *onnx.Builder, n *onnx.Node) (ok bool, err error) {
	if is(n, "Constant") {
		p.outputs = outputsOf(b.Graph) // few nodes, see graph
		if err := p.constant(n); err != nil {
			return false, err
		}
		b.Graph.Remove(n)
		return false, nil
	}
	def := p.set.Find(n.Domain, n.OpType)
	facts, err := factsOf(n, def)
	if err != nil {
		return false, err
	}
	if facts != nil && !p.checked {
		if err := checkNode(n, facts); err != nil {
			return false, err
		}
	}
	if def == nil {
		return false, shape.Expand(b, n, nil)
	}
	if changed, err := shape.Upgrade(b, n, def, p.o.Variable); changed || err != nil {
		return false, err
	}
	if def.Compile == nil || p.o.Expand != nil && p.o.Expand(n) {
		if err := p.f.Node(n); err != nil { // says what does not fit in the operator's own words
			return false, err
		}
		return false, shape.Expand(b, n, def)
	}
	return true, p.settle(n)
}

// settle gives n's outputs their types and prepares its subgraphs. Inside a subgraph the types are known already, from the
// inference of the node that holds it, unless a pass has made n.
func (p *preparer) settle(n *onnx.Node) error {
	if !p.inner || slices.ContainsFunc(n.Outputs(), func(v *onnx.Value) bool { return v != nil && v.Type.Kind == onnx.KindUnknown }) {
		if err := p.f.Node(n); err != nil {
			return err
		}
	}
	was := p.inner
	defer func() { p.inner = was }()
	p.inner = true
	for _, s := range n.Subgraphs() {
		if err := p.graph(s); err != nil {
			return err
		}
	}
	return nil
}
