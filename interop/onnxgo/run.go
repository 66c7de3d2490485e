package onnxgo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/gneiss-ml/gneiss/runtime"
	onnxgo "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
)

// operation is one node of the model.
type operation struct {
	name  string
	attrs []onnx.Attribute
	in    []*value // nil: left out
	out   []*value // nil: not wanted
}

// ApplyOperation records the operation that makes the nodes ns from what their edges lead to.
//
// It is an error when an attribute has a type that onnx-go or ONNX does not know, or a value is made twice.
func (g *Graph) ApplyOperation(o onnxgo.Operation, ns ...graph.Node) error {
	op := &operation{name: o.Name}
	for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
		a, err := attribute(name, o.Attributes[name])
		if err != nil {
			return fmt.Errorf("operator %.128q: %w", o.Name, err)
		}
		op.attrs = append(op.attrs, a)
	}
	var maker *value
	for _, n := range ns {
		v := g.output(n)
		op.out = append(op.out, v)
		if v == nil {
			continue
		}
		if v.maker != nil {
			return onnx.Invalidf("onnxgo: value %.128q is made by both %.128q and %.128q", v.name, v.maker.name, o.Name)
		}
		v.maker, maker = op, cmp.Or(maker, v)
	}
	if maker == nil {
		return g.err // nobody can read what it makes
	}
	if g.hasInputs(op) {
		op.in = inputs(maker.edges)
	}
	g.operations = append(g.operations, op)
	return g.err
}

// output is the value that n stands for; nil for a nameless one, which is an output that is not wanted.
func (g *Graph) output(n graph.Node) *value {
	if node := g.node(n); node != nil && node.v.name != "" {
		return node.v
	}
	return nil
}

// hasInputs is false for operators that take none: onnx-go invents an input for those.
func (g *Graph) hasInputs(op *operation) bool {
	s, ok := schema.Lookup("", op.name, cmp.Or(g.options.Opset, schema.MaxOpset("")))
	return !ok || s.MaxIn > 0
}

// inputs orders edges by position; a nameless value is an input that is left out.
func inputs(edges []edge) []*value {
	edges = slices.Clone(edges)
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Compare(a.weight, b.weight) })
	in := make([]*value, len(edges))
	for i, e := range edges {
		if e.to.v.name != "" {
			in[i] = e.to.v
			in[i].read = true
		}
	}
	return in
}

// prepared is a session for the operations, with the values that are its inputs and outputs.
type prepared struct {
	session *runtime.Session
	key     string
	in, out map[string]*value // by the names in the session
}

// Run computes the model with the tensors that its nodes carry and gives its outputs theirs. An input that never got a tensor
// has the zeros that onnx-go gave it, if its shape is fixed.
//
// The first run, and one with inputs of other types or ranks, prepares the model. Errors name the node.
func (g *Graph) Run() error { return g.RunContext(context.Background()) }

// RunContext is Run with a context that can end it.
func (g *Graph) RunContext(ctx context.Context) error {
	if g.whole != nil {
		return g.whole.run(ctx)
	}
	switch {
	case g.err != nil:
		return g.err
	case len(g.operations) == 0:
		return onnx.Invalidf("onnxgo: the graph is empty: no model was read into it")
	case g.options.Opset == 0:
		return onnx.Invalidf("onnxgo: Options.Opset is missing: onnx-go does not pass the model's opset on")
	}
	if err := g.prepare(); err != nil {
		return err
	}
	return execute(ctx, g.prepared.session, g.prepared.in, g.prepared.out)
}

// execute runs a session on the tensors of in and sets those of out.
func execute(ctx context.Context, s *runtime.Session, in, out map[string]*value) error {
	feeds := map[string]*onnx.Tensor{}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		t, err := FromGorgonia(in[name].tensor)
		if err != nil {
			return fmt.Errorf("input %.128q: %w", name, err)
		}
		feeds[name] = t
	}
	names := slices.Sorted(maps.Keys(out))
	got, err := s.Run(ctx, feeds, names...)
	if err != nil {
		return err
	}
	for _, name := range names {
		t, err := ToGorgonia(got[name])
		if err != nil {
			return fmt.Errorf("output %.128q: %w", name, err)
		}
		out[name].tensor = t
	}
	return nil
}

// Close frees what was prepared to run. Operations that onnx-go read may run again, a Model must be read again.
func (g *Graph) Close() error {
	if w := g.whole; w != nil {
		g.whole = nil
		return w.session.Close()
	}
	return g.unprepare()
}

func (g *Graph) unprepare() error {
	if g.prepared == nil {
		return nil
	}
	s := g.prepared.session
	g.prepared = nil
	return s.Close()
}

// prepare makes a session unless there is one for the same inputs.
func (g *Graph) prepare() error {
	key := g.key()
	if g.prepared != nil && g.prepared.key == key {
		return nil
	}
	if err := g.unprepare(); err != nil {
		return err
	}
	p := &prepared{key: key, in: map[string]*value{}, out: map[string]*value{}}
	m, err := g.model(p)
	if err != nil {
		return err
	}
	p.session, err = runtime.New(m, g.options.Runtime)
	if err == nil {
		g.prepared = p
	}
	return err
}

// key says which values are inputs of a run, with their types and ranks.
func (g *Graph) key() string {
	var key strings.Builder
	for _, n := range g.nodes {
		if v := n.v; v.fed && v.maker == nil {
			key.WriteString(fmt.Sprintf("%d %v %d;", n.id, v.tensor.Dtype(), v.tensor.Dims()))
		}
	}
	return key.String()
}

// model makes an ONNX model of the operations.
func (g *Graph) model(p *prepared) (*onnx.Model, error) {
	out := onnx.NewGraph("onnx-go", nil)
	out.SetOpset("", g.options.Opset)
	made := map[*value]*onnx.Value{}
	for _, n := range g.nodes {
		if v := n.v; v.maker == nil && v.read && made[v] == nil {
			leaf, err := addLeaf(out, v, p)
			if err != nil {
				return nil, err
			}
			made[v] = leaf
		}
	}
	order, err := g.sorted()
	if err != nil {
		return nil, err
	}
	for _, op := range order {
		addOperation(out, op, made)
	}
	for _, op := range g.operations {
		for _, v := range op.out {
			if v != nil && (v.declared || !v.read) {
				out.Outputs = append(out.Outputs, made[v])
				p.out[made[v].Name] = v
			}
		}
	}
	return onnx.NewModel(out), nil
}

// addLeaf adds an input or a constant.
func addLeaf(g *onnx.Graph, v *value, p *prepared) (*onnx.Value, error) {
	if v.tensor == nil {
		return nil, onnx.Invalidf("onnxgo: value %.128q has no tensor", v.name)
	}
	t, err := FromGorgonia(v.tensor)
	if err != nil {
		return nil, fmt.Errorf("value %.128q: %w", v.name, err)
	}
	if !v.fed {
		return g.Initializer(v.name, t.Type(), t), nil
	}
	dims := make([]onnx.Dim, len(t.Shape))
	for i := range dims {
		dims[i] = onnx.Unknown
	}
	in := g.Input(v.name, onnx.TensorOf(t.Elem, dims...))
	p.in[in.Name] = v
	return in, nil
}

func addOperation(g *onnx.Graph, op *operation, made map[*value]*onnx.Value) {
	in := make([]*onnx.Value, len(op.in))
	for i, v := range op.in {
		if v != nil {
			in[i] = made[v]
		}
	}
	n := g.Add("", op.name, len(op.out), in, op.attrs...)
	for i, v := range op.out {
		if v == nil {
			n.DropOut(i)
			continue
		}
		made[v] = n.Out(i)
		made[v].Name = g.Unique(v.name)
	}
}

// sorted orders the operations by the flow of values.
func (g *Graph) sorted() ([]*operation, error) {
	waits, readers := map[*operation]int{}, map[*operation][]*operation{}
	for _, op := range g.operations {
		for _, v := range op.in {
			if v != nil && v.maker != nil {
				waits[op]++
				readers[v.maker] = append(readers[v.maker], op)
			}
		}
	}
	var order []*operation
	for _, op := range g.operations {
		if waits[op] == 0 {
			order = append(order, op)
		}
	}
	for i := 0; i < len(order); i++ {
		for _, r := range readers[order[i]] {
			if waits[r]--; waits[r] == 0 {
				order = append(order, r)
			}
		}
	}
	if len(order) < len(g.operations) {
		return nil, onnx.Invalidf("onnxgo: the graph is cyclic")
	}
	return order, nil
}
