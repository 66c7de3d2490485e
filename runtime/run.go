package runtime

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Run runs the model on in, by name, and gives the outputs, by name: all of the model's, or those named. A name may also be
// that of an inner value of the graph; the model is then planned once more so that the value exists. The results are the
// caller's; the inputs must not be written to meanwhile.
//
// It is an error if an input is missing, unknown, or of another type, rank or size than the model says.
func (s *Session) Run(ctx context.Context, in map[string]*onnx.Tensor, outputs ...string) (map[string]*onnx.Tensor, error) {
	objects := make(map[string]onnx.Object, len(in))
	for name, t := range in {
		if t != nil {
			objects[name] = t
		}
	}
	results, err := s.RunObjects(ctx, objects, outputs...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*onnx.Tensor, len(results))
	for name, o := range results {
		t, ok := o.(*onnx.Tensor)
		if !ok {
			return nil, onnx.Invalidf("runtime: output %.128q is no tensor but %v: use RunObjects", name, o.ObjectType())
		}
		out[name] = t
	}
	return out, nil
}

// RunObjects is Run for values of all kinds: tensors, sparse tensors, sequences, maps and optionals.
func (s *Session) RunObjects(ctx context.Context, in map[string]onnx.Object, outputs ...string) (map[string]onnx.Object, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	if len(outputs) == 0 {
		outputs = names(s.model.Graph.Outputs)
	}
	p, err := s.programFor(in, outputs)
	if err != nil {
		return nil, prefixed(err)
	}
	ins, err := views(p, in)
	if err != nil {
		return nil, prefixed(err)
	}
	r := p.get()
	defer p.put(r)
	results, err := r.Results(ctx, ins)
	if err != nil {
		return nil, prefixed(err)
	}
	out := make(map[string]onnx.Object, len(outputs))
	for _, name := range outputs {
		out[name] = results[p.outs[name]]
	}
	return out, nil
}

// programFor checks the names and picks the program: the main one unless an initializer is overridden or a value wanted
// that is no output.
func (s *Session) programFor(in map[string]onnx.Object, outputs []string) (*program, error) {
	var overridden, inner []string
	known := 0
	for _, v := range s.model.Graph.Inputs {
		if _, ok := in[v.Name]; ok {
			known++
			if v.IsInitializer() {
				overridden = append(overridden, v.Name)
			}
		}
	}
	if known != len(in) {
		return nil, s.unknown(in)
	}
	for _, name := range outputs {
		if _, ok := s.main.outs[name]; !ok && !slices.Contains(inner, name) {
			inner = append(inner, name)
		}
	}
	slices.Sort(inner)
	return s.program(overridden, inner)
}

// unknown names the first, in alphabetical order, of the inputs that the model lacks.
func (s *Session) unknown(in map[string]onnx.Object) error {
	var wrong, known []string
	for name := range in {
		if !slices.Contains(names(s.model.Graph.Inputs), name) {
			wrong = append(wrong, name)
		}
	}
	for _, i := range s.Inputs() {
		known = append(known, i.Name)
	}
	slices.Sort(wrong)
	return onnx.Invalidf("no input is called %.128q; the inputs are %s", wrong[0], quoted(known))
}

// views puts the inputs in the plan's order.
func views(p *program, in map[string]onnx.Object) ([]opdef.View, error) {
	list := make([]opdef.View, len(p.plan.Inputs()))
	for i, v := range p.plan.Inputs() {
		o, ok := in[v.Name]
		if !ok && v.Type.Kind != onnx.KindOptional && !v.IsInitializer() {
			return nil, onnx.Invalidf("input %.128q (%v) is missing", v.Name, v.Type)
		}
		if !ok {
			continue
		}
		if err := plan.Check(o); err != nil {
			return nil, onnx.Invalidf("input %.128q: %w", v.Name, err)
		}
		if _, is := o.(*onnx.Optional); !is && v.Type.Kind == onnx.KindOptional {
			o = &onnx.Optional{Item: o}
		}
		list[i] = plan.ViewOf(o)
	}
	return list, nil
}

// Binding is a session tied to tensors of the caller: fixed shapes, and no allocation in a run. It runs once at a time.
type Binding struct {
	s         *Session
	p         *program
	mu        sync.Mutex
	r         *plan.Runner
	ins, outs []opdef.View
}

// Bind ties the inputs and outputs, by name, to tensors of the caller. Each Run reads in as it is then and writes out, whose
// types and shapes must be those of the results; outputs that out does not name are computed and not delivered. Names of
// inner values are allowed as in Session.Run. The tensors of out must not overlap each other; they may overlap those of in.
//
// The model runs once in Bind, so that all memory that a run needs is there.
func (s *Session) Bind(in, out map[string]*onnx.Tensor) (*Binding, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	b, err := s.bind(in, out)
	if err != nil {
		return nil, prefixed(err)
	}
	return b, nil
}

func (s *Session) bind(in, out map[string]*onnx.Tensor) (*Binding, error) {
	objects := make(map[string]onnx.Object, len(in))
	for name, t := range in {
		if t != nil {
			objects[name] = t
		}
	}
	var outputs []string
	for name, t := range out {
		if t != nil {
			outputs = append(outputs, name)
		}
	}
	slices.Sort(outputs)
	p, err := s.programFor(objects, outputs)
	if err != nil {
		return nil, err
	}
	b := &Binding{s: s, p: p, r: p.runner(), outs: make([]opdef.View, len(p.plan.Outputs()))}
	for _, name := range outputs { // before the inputs: Mutable may move the bytes
		out[name].Mutable()
		b.outs[p.outs[name]] = plan.ViewOf(out[name])
	}
	if b.ins, err = views(p, objects); err != nil {
		return nil, err
	}
	return b, b.r.Run(context.Background(), b.ins, b.outs)
}

// Run runs on the bound tensors. It allocates nothing as long as it is called with one context, or with contexts that are
// never done.
func (b *Binding) Run(ctx context.Context) error {
	if err := b.s.enter(); err != nil {
		return err
	}
	defer b.s.leave()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.r.Run(ctx, b.ins, b.outs); err != nil {
		return prefixed(err)
	}
	return nil
}

// MemoryUse is what the binding holds.
func (b *Binding) MemoryUse() Memory {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Memory{Weights: b.p.plan.WeightBytes(), Runs: b.r.Held()}
}

// Close ends the watch on the context of the last run. Without it the binding is kept in memory as long as that context.
func (b *Binding) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.r.Close()
	return nil
}

// Event is one node that has run.
type Event struct {
	Node     string // name
	OpType   string // with its domain when that is not the standard's
	Depth    int    // subgraphs around it
	Start    time.Time
	Duration time.Duration
	FLOP     int64 // floating-point operations; 0 when unknown
	Bytes    int64 // read and written
	Late     bool  // its sizes depended on data
	Outputs  []string
}

// Profile calls f after each node of the runs to come, nodes of subgraphs before the node that holds them; nil ends it. A
// profiled run allocates.
func (b *Binding) Profile(f func(Event)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f == nil {
		b.r.Trace = nil
		return
	}
	b.r.Trace = func(e plan.Event) {
		f(Event{
			Node: e.Node.Label(), OpType: e.Node.Operator(), Depth: e.Depth, Start: e.Start, Duration: e.Duration,
			FLOP: e.Cost.FLOP, Bytes: e.Cost.Bytes, Late: e.Late, Outputs: e.Outputs,
		})
	}
}
