package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
	"github.com/gneiss-ml/gneiss/onnx/shape"
)

// Optimise makes g, which Prepare or autodiff left, smaller and faster. Inputs and outputs keep names and order, variables
// stay what they are. Level 0 replaces operators that have no kernel and removes what nobody reads. Level 1 also removes
// nodes that do nothing, computes what is constant and computes equal things once; results keep their bits. Level 2 also
// merges operators, so that results may round otherwise.
func Optimise(g *onnx.Graph, set *opdef.Set, o Options) error {
	if err := expand(g, set, o); err != nil {
		return err
	}
	p := &optimiser{g: g, set: set, o: o}
	if o.Level >= 2 {
		p.passes(p.quantized, p.identities, p.fold, p.transposes, p.batchNorms)
	}
	if o.Level >= 1 {
		p.passes(p.identities, p.fold, p.transposes, p.common)
	}
	if o.Level >= 2 {
		p.passes(p.activations, p.transposes, p.rowNorms, p.attentions, p.fuse, p.exchange)
	}
	p.passes(p.dead)
	return p.err
}

// optimiser is one call of Optimise.
type optimiser struct {
	g       *onnx.Graph
	set     *opdef.Set
	o       Options
	outputs map[*onnx.Value]bool // outputs of any graph, new values of variables
	inputs  map[*onnx.Value]bool // inputs that are initializers: the caller may override them
	err     error
}

// passes runs passes one after the other, until one fails.
func (p *optimiser) passes(list ...func() error) {
	for _, pass := range list {
		if p.err == nil {
			p.err = p.o.err()
		}
		if p.err != nil {
			return
		}
		p.look()
		p.err = pass()
	}
}

// look notes what the passes must leave in place.
func (p *optimiser) look() {
	p.outputs, p.inputs = outputsOf(p.g), map[*onnx.Value]bool{}
	_ = graphs(p.g, func(s *onnx.Graph) error {
		for _, v := range s.Inputs {
			p.inputs[v] = v.IsInitializer()
		}
		return nil
	})
}

// constant is the contents of v when nothing ever changes them; nil otherwise.
func (p *optimiser) constant(v *onnx.Value) *onnx.Tensor {
	if v == nil || v.Init == nil || p.inputs[v] || p.o.isVariable(v) {
		return nil
	}
	return v.Init
}

// setConstant lets an initializer that holds t take the place of v, an output of a node, which thereby loses its readers.
func (p *optimiser) setConstant(v *onnx.Value, t *onnx.Tensor) {
	w := p.g.Initializer(v.Name, t.Type(), t)
	v.Name, w.Name = w.Name, v.Name
	replace(v, w, p.outputs)
}

// expand replaces operators without a kernel by their bodies: gradients may have brought some.
func expand(g *onnx.Graph, set *opdef.Set, o Options) error {
	lacks := func(n *onnx.Node) bool {
		d := set.Find(n.Domain, n.OpType)
		return d == nil || d.Compile == nil
	}
	found := false
	_ = graphs(g, func(s *onnx.Graph) error {
		found = found || slices.ContainsFunc(s.Nodes, lacks)
		return nil
	})
	if !found {
		return nil
	}
	names := outputNames(g)
	p := &preparer{set: set, o: o, f: shape.New(set), checked: true, limit: bound(o.Limits.Nodes, 200_000)}
	p.f.Variable, p.f.Forgive, p.nodes = o.Variable, true, int(compose.Size(g))
	if err := p.graph(g); err != nil {
		return err
	}
	restoreNames(g, names)
	return nil
}

// random are operators whose results differ from node to node although inputs and attributes are equal.
var random = []string{"Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}

// pure reports whether n, an operator of the standard, gives equal results for equal inputs and has no subgraph.
func pure(n *onnx.Node, def *opdef.Def) bool {
	if n.Domain == onnx.Private || len(n.Subgraphs()) > 0 || is(n, n.OpType) && slices.Contains(random, n.OpType) {
		return false
	}
	if def == nil || def.Schema != nil {
		return false
	}
	s, ok := def.Facts(n.Opset())
	return ok && !s.NonDeterministic
}
