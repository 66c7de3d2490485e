package shape

import (
	"errors"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// Inferrer infers types. It remembers the known contents of small integer tensors beside the graph. It is not safe for
// concurrent use.
type Inferrer struct {
	// Hints lets the types that values had before fill what inference leaves open. Otherwise only kind and element type
	// do: a declared size may be wrong.
	Hints bool
	// Forgive leaves the outputs of a node inside a subgraph open where its inputs do not fit the operator, instead of
	// failing: a branch that is never taken may be wrong. Running it is an error still.
	Forgive bool
	// Variable reports whether an initializer may be overwritten, so that its contents say nothing; nil: none is.
	Variable func(*onnx.Value) bool
	// Functions are the functions of the model, for calls that are not inlined; may be nil.
	Functions *compose.Functions

	set    *opdef.Set
	ints   map[*onnx.Value][]onnx.Dim
	bodies map[*onnx.Graph]*body // of the walk that is under way
	depth  int
	work   *int // nodes that may still be inferred
}

// maxWork bounds the inferences of one Inferrer, so that nested loops which widen cannot take for ever; modelWork is the
// bound for a model from a file, ten times the nodes that it may have.
const (
	maxWork   = 1 << 24
	modelWork = 2_000_000
)

// New makes an Inferrer with the operators of set.
func New(set *opdef.Set) *Inferrer {
	work := maxWork
	return &Inferrer{set: set, ints: map[*onnx.Value][]onnx.Dim{}, work: &work}
}

// Infer gives the values of g, of its subgraphs too, their types. Nodes may stand in any order and be of any version that
// is known. Types that values have already are hints: they fill what inference leaves open. The types of inputs and
// initializers stand.
func Infer(g *onnx.Graph, set *opdef.Set) error {
	f := New(set)
	f.Hints, f.Forgive = true, true
	return f.Graph(g)
}

// Ints is the contents of v, an integer tensor of rank 0 or 1, as far as known: fixed, named or unknown sizes.
func (f *Inferrer) Ints(v *onnx.Value) []onnx.Dim {
	if d := f.ints[v]; d != nil {
		return d
	}
	if t := f.constant(v); t != nil && len(t.Shape) <= 1 && t.Len() <= maxInts {
		d, _ := opdef.DimsOf(t)
		return d
	}
	return nil
}

// maxInts is the length of contents that are followed.
const maxInts = 1024

// Graph infers the nodes of g in an order that respects the flow of data. A cycle is an error of the invalid kind.
func (f *Inferrer) Graph(g *onnx.Graph) error {
	order, ok := onnx.Sorted(g, nil)
	if !ok {
		return onnx.Invalidf("graph %.128q: nodes form a cycle", g.Name)
	}
	for _, n := range order {
		if err := f.Node(n); err != nil {
			return onnx.At(n, err)
		}
	}
	return nil
}

// maxDepth bounds graphs inside graphs and bodies inside bodies, far above what a model may have.
const maxDepth = 300

// Node infers the outputs of n.
func (f *Inferrer) Node(n *onnx.Node) error {
	err := f.node(n)
	if err == nil || !f.Forgive || n.Graph().Outer == nil || !errors.Is(err, onnx.ErrInvalid) {
		return err
	}
	for i := range n.NumOut() {
		f.set1(n, i, onnx.Type{}, nil)
	}
	return nil
}

func (f *Inferrer) node(n *onnx.Node) error {
	if f.depth >= maxDepth {
		return onnx.Unsupportedf("more than %d graphs inside one another", maxDepth)
	}
	if f.depth == 0 {
		f.bodies = map[*onnx.Graph]*body{}
	}
	if *f.work--; *f.work < 0 {
		return &onnx.LimitError{Limit: "work of shape inference", Value: modelWork, Asked: modelWork + 1, Unit: "nodes"}
	}
	f.depth++
	defer func() { f.depth-- }()
	if call := f.Functions.Find(n); call != nil {
		return f.through(n, call, f.Functions)
	}
	def := f.set.Find(n.Domain, n.OpType)
	if def == nil || def.Infer == nil {
		return f.standardBody(n, def)
	}
	if s, ok := def.Facts(n.Opset()); ok {
		if err := checkIns(n, s); err != nil {
			return err
		}
	}
	if since, last, ok := Since(n); ok && since < last && def.Schema == nil && def.Upgrade != nil {
		return f.older(n, def)
	}
	return f.operator(n, def)
}

// operator asks the operator itself.
func (f *Inferrer) operator(n *onnx.Node, def *opdef.Def) error {
	c := opdef.Infer{Node: n, Outs: make([]onnx.Type, n.NumOut()), OutInts: make([][]onnx.Dim, n.NumOut())}
	c.Ins, c.InInts = make([]onnx.Type, n.NumIn()), make([][]onnx.Dim, n.NumIn())
	c.Consts = make([]*onnx.Tensor, n.NumIn())
	for i := range c.Ins {
		if v := n.In(i); v != nil {
			c.Ins[i], c.InInts[i], c.Consts[i] = v.Type, f.Ints(v), f.constant(v)
		}
	}
	c.BodyTypes = func(i int, in []onnx.Type) ([]onnx.Type, error) { return f.body(n, i, in) }
	if err := def.Infer(&c); err != nil && !errors.Is(err, opdef.ErrNoRank) {
		return err
	}
	for i := range c.Outs {
		f.set1(n, i, c.Outs[i], c.OutInts[i])
	}
	return nil
}

// set1 gives output i its type, completed by what the schema and the hint say.
func (f *Inferrer) set1(n *onnx.Node, i int, t onnx.Type, ints []onnx.Dim) {
	v := n.Out(i)
	if v == nil {
		return
	}
	if t.Kind == onnx.KindUnknown || t.Kind == onnx.KindTensor && t.Elem == onnx.Undefined {
		t = elem(t, f.schemaType(n, i))
	}
	if f.Hints {
		t = Merge(t, v.Type)
	} else {
		t = elem(t, v.Type)
	}
	v.Type = t
	if ints != nil && len(ints) <= maxInts {
		f.ints[v] = ints
	} else {
		delete(f.ints, v)
	}
}

// schemaType is the type of output i as the schema alone tells it: the only type that is allowed, or the type of an input
// that must be the same.
func (f *Inferrer) schemaType(n *onnx.Node, i int) onnx.Type {
	s, ok := schema.Newest(n.Domain, n.OpType)
	if !ok || s.Output(i) == nil {
		return onnx.Type{}
	}
	word := s.Output(i).Type
	for j, v := range n.Inputs() {
		if p := s.Input(j); p != nil && p.Type == word && v != nil && v.Type.IsTensor() {
			return onnx.Unranked(v.Type.Elem)
		}
	}
	if set := s.Constraint(word); len(set) == 1 {
		if e, ok := onnx.ParseElemType(strings.TrimSuffix(strings.TrimPrefix(set[0], "tensor("), ")")); ok {
			return onnx.Unranked(e)
		}
	}
	return onnx.Type{}
}

// constant is the contents of v when nothing may replace them; nil otherwise.
func (f *Inferrer) constant(v *onnx.Value) *onnx.Tensor {
	if v == nil || v.Init == nil || f.Variable != nil && f.Variable(v) || overridable(v) {
		return nil
	}
	return v.Init
}

// overridable reports whether the caller may give v, an initializer, another value.
func overridable(v *onnx.Value) bool { return v.IsInitializer() && v.IsInput() }

// body is the memory of one subgraph during a walk.
type body struct {
	declared []onnx.Type // types of the inputs as the file has them
	in       []onnx.Type // types they were last inferred for
	captures []*onnx.Value
	seen     []onnx.Type // types of captures then
	ints     [][]onnx.Dim
	done     bool
}

// body infers subgraph i of n for inputs of the given types. Types are only ever widened within one walk, so that nested
// loops which widen do not multiply; what has not changed is not inferred again.
func (f *Inferrer) body(n *onnx.Node, i int, in []onnx.Type) ([]onnx.Type, error) {
	subs := n.Subgraphs()
	if i < 0 || i >= len(subs) {
		return nil, onnx.Invalidf("subgraph %d is missing", i)
	}
	g := subs[i]
	b := f.bodies[g]
	if b == nil {
		b = &body{captures: g.Captures()}
		for _, v := range g.Inputs {
			b.declared = append(b.declared, v.Type)
		}
		f.bodies[g] = b
	}
	if f.renew(b, g, in) {
		if err := f.Graph(g); err != nil {
			return nil, err
		}
		b.done = true
	}
	outs := make([]onnx.Type, len(g.Outputs))
	for j, v := range g.Outputs {
		outs[j] = v.Type.Clone()
	}
	return outs, nil
}

// renew sets the types of g's inputs and reports whether anything that the body reads has changed.
func (f *Inferrer) renew(b *body, g *onnx.Graph, in []onnx.Type) bool {
	changed := !b.done
	for j, v := range g.Inputs {
		t := b.declared[j]
		if j < len(in) {
			t = elem(in[j].Clone(), t)
			if f.Hints && !in[j].Ranked {
				t = Merge(t, b.declared[j])
			}
		}
		if j < len(b.in) {
			t = Join(b.in[j], t)
			changed = changed || !t.Equal(b.in[j])
			b.in[j] = t
		} else {
			b.in = append(b.in, t)
		}
		v.Type = t.Clone()
	}
	for j, v := range b.captures {
		ints := f.Ints(v)
		if j == len(b.seen) {
			b.seen, b.ints = append(b.seen, onnx.Type{}), append(b.ints, nil)
		}
		if !v.Type.Equal(b.seen[j]) || !slices.Equal(ints, b.ints[j]) {
			changed = true
		}
		b.seen[j], b.ints[j] = v.Type.Clone(), ints
	}
	return changed
}
