package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
)

// NodeError places an error at a node of the model.
type NodeError = onnx.NodeError

// ErrClosed is what a closed session answers.
var ErrClosed = errors.New("runtime: the session is closed")

// Session is a model made ready to run. It is safe for concurrent use.
type Session struct {
	model *onnx.Model // private; its tensors are shared with the caller's
	o     Options
	set   *opdef.Set
	main  *program

	mu       sync.Mutex
	idle     sync.Cond // running has become 0
	running  int
	closed   bool
	variants []variant // last used first

	building sync.Mutex // one variant at a time
}

// program is a plan and the run objects that nobody uses at the moment.
type program struct {
	plan *plan.Plan
	outs map[string]int
	seed uint64

	mu   sync.Mutex
	free []*plan.Runner
}

// variant is a program for other outputs than the model's, or with initializers overridden.
type variant struct {
	key string
	p   *program
}

const (
	maxVariants = 8
	maxFree     = 64 // run objects kept by a program
)

// Open reads the model in the file at path, and its external data, and makes it ready. See onnx.ReadFile for which files are
// read. Weights are read when they are first needed: the file must not be changed while the session is open (it may be
// replaced or removed); one of another size or time is an error then.
func Open(path string, o Options) (*Session, error) {
	r := o.read()
	r.Lazy = true
	m, err := r.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return New(m, o)
}

// OpenFS is Open for a file of fsys, for instance one that is embedded into the program.
func OpenFS(fsys fs.FS, name string, o Options) (*Session, error) {
	m, err := o.read().ReadFS(fsys, name)
	if err != nil {
		return nil, err
	}
	return New(m, o)
}

func (o *Options) read() onnx.ReadOptions {
	return onnx.ReadOptions{Limits: o.Limits.Read, HardLinks: o.HardLinks}
}

// New makes model ready. The model is not changed and may be changed afterwards, save the contents of its tensors, which
// are shared.
func New(model *onnx.Model, o Options) (*Session, error) {
	if model == nil || model.Graph == nil {
		return nil, onnx.Invalidf("runtime: there is no model")
	}
	set, err := OperatorSet(o.Operators)
	if err != nil {
		return nil, err
	}
	s := &Session{model: model.Copy(), o: o, set: set}
	s.idle.L = &s.mu
	if s.main, err = s.build(nil, nil); err != nil {
		return nil, prefixed(err)
	}
	return s, nil
}

func prefixed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("runtime: %w", err)
}

// build makes the program that takes the overridden initializers for inputs and gives the wanted values too.
func (s *Session) build(overridden, wanted []string) (*program, error) {
	m := s.model.Copy()
	m.IRVersion = max(m.IRVersion, 4) // which initializers are inputs is settled here
	g := m.Graph
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v *onnx.Value) bool {
		return v.IsInitializer() && !slices.Contains(overridden, v.Name)
	})
	for _, name := range wanted {
		v := find(g, name)
		if v == nil {
			return nil, onnx.Invalidf("no value is called %.128q; the outputs are %s", name, quoted(names(s.model.Graph.Outputs)))
		}
		g.Outputs = append(g.Outputs, v)
	}
	o := s.o.rewrite(weights(m))
	po := s.o.plan()
	po.Set = s.set
	o.Eval = func(n *onnx.Node, ins []*onnx.Tensor) ([]*onnx.Tensor, error) {
		return plan.Eval(context.Background(), po, n, ins)
	}
	prepared, err := rewrite.Prepare(m, s.set, o)
	if err != nil {
		return nil, err
	}
	if s.o.Engine == Fast {
		if err := rewrite.Optimise(prepared, s.set, o); err != nil {
			return nil, err
		}
	}
	if s.o.Engine == Fast && s.o.Level == Full {
		if po.Layouts, err = rewrite.Layout(prepared, s.set, o); err != nil {
			return nil, err
		}
	}
	p := &program{outs: map[string]int{}, seed: s.o.Seed}
	if p.plan, err = plan.Build(prepared, plan.NewVars(), po); err != nil {
		return nil, err
	}
	for i, v := range g.Outputs {
		p.outs[v.Name] = i
	}
	return p, nil
}

// find is the value of g, not of its subgraphs, called name.
func find(g *onnx.Graph, name string) *onnx.Value {
	called := func(v *onnx.Value) bool { return v != nil && v.Name == name }
	for _, vs := range [][]*onnx.Value{g.Inputs, g.Initializers} {
		if i := slices.IndexFunc(vs, called); i >= 0 {
			return vs[i]
		}
	}
	for _, n := range g.Nodes {
		outs := n.Outputs()
		if i := slices.IndexFunc(outs, called); i >= 0 && name != "" {
			return outs[i]
		}
	}
	return nil
}

// weights is the bytes of m's initializers.
func weights(m *onnx.Model) int64 {
	var n int64
	for _, v := range m.Graph.Initializers {
		if v.Init != nil {
			n += int64(v.Init.ByteLen())
		}
		if v.Sparse != nil && v.Sparse.Values != nil {
			n += int64(v.Sparse.Values.ByteLen())
		}
	}
	return n
}

// Info describes an input or an output.
type Info struct {
	Name string
	Type onnx.Type // as far as known: dims may be named or unknown
	Doc  string
	// Optional inputs may be left out: the model has a default.
	Optional bool
}

// Inputs describes the inputs in the model's order.
func (s *Session) Inputs() []Info {
	types := map[string]onnx.Type{}
	for _, v := range s.main.plan.Inputs() {
		types[v.Name] = v.Type
	}
	var list []Info
	for _, v := range s.model.Graph.Inputs {
		t, ok := types[v.Name]
		if !ok {
			t = v.Type
		}
		if s.isInput(v) {
			list = append(list, Info{v.Name, t.Clone(), v.Doc, v.IsInitializer()})
		}
	}
	return list
}

// isInput leaves out what up to IR 3 was listed as an input for formal reasons alone.
func (s *Session) isInput(v *onnx.Value) bool { return !v.IsInitializer() || s.model.IRVersion >= 4 }

// Outputs describes the outputs in the model's order.
func (s *Session) Outputs() []Info {
	var list []Info
	planned := s.main.plan.Outputs()
	for i, v := range s.model.Graph.Outputs {
		list = append(list, Info{Name: v.Name, Type: planned[i].Type.Clone(), Doc: v.Doc})
	}
	return list
}

// Metadata is what a model says of itself.
type Metadata struct {
	Producer, ProducerVersion string
	Domain                    string
	Version                   int64 // of the model
	Doc                       string
	Graph                     string // name of the graph
	IRVersion                 int
	Opsets                    []onnx.Opset
	Properties                []onnx.Entry
}

// Metadata is what the model says of itself.
func (s *Session) Metadata() Metadata {
	m := s.model
	return Metadata{
		Producer: m.Producer, ProducerVersion: m.ProducerVersion, Domain: m.Domain, Version: m.ModelVersion, Doc: m.Doc,
		Graph: m.Graph.Name, IRVersion: m.IRVersion, Opsets: slices.Clone(m.Graph.Opsets), Properties: slices.Clone(m.Metadata),
	}
}

// Memory is what a session or a binding holds, in bytes.
type Memory struct {
	Weights int64 // constants of the model as planned, packed forms included
	Runs    int64 // kept for the next runs: arenas and buffers
}

// MemoryUse is what the session holds. Runs under way are not counted, nor are bindings.
func (s *Session) MemoryUse() Memory {
	m := Memory{Weights: s.main.plan.WeightBytes()}
	for _, p := range s.programs() {
		m.Runs += p.held()
	}
	return m
}

func (s *Session) programs() []*program {
	s.mu.Lock()
	defer s.mu.Unlock()
	ps := []*program{s.main}
	for _, v := range s.variants {
		ps = append(ps, v.p)
	}
	return ps
}

// Close lets runs that are under way finish and refuses new ones. Closing twice is allowed.
func (s *Session) Close() error {
	s.mu.Lock()
	s.closed = true
	for s.running > 0 {
		s.idle.Wait()
	}
	s.mu.Unlock()
	for _, p := range s.programs() {
		p.drain()
	}
	return nil
}

// enter counts a run; leave must follow.
func (s *Session) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.running++
	return nil
}

func (s *Session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running--; s.running == 0 {
		s.idle.Broadcast()
	}
}

// program finds or builds the program for a run.
func (s *Session) program(overridden, wanted []string) (*program, error) {
	if len(overridden) == 0 && len(wanted) == 0 {
		return s.main, nil
	}
	key := quoted(overridden) + ";" + quoted(wanted)
	s.building.Lock()
	defer s.building.Unlock()
	if p := s.variant(key); p != nil {
		return p, nil
	}
	p, err := s.build(overridden, wanted)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.variants = slices.Insert(s.variants, 0, variant{key, p})
	s.variants = s.variants[:min(len(s.variants), maxVariants)]
	return p, nil
}

func (s *Session) variant(key string) *program {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.variants, func(v variant) bool { return v.key == key })
	if i < 0 {
		return nil
	}
	v := s.variants[i]
	copy(s.variants[1:i+1], s.variants[:i])
	s.variants[0] = v
	return v.p
}

func (p *program) get() *plan.Runner {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		r := p.free[n-1]
		p.free = p.free[:n-1]
		return r
	}
	return p.runner()
}

func (p *program) runner() *plan.Runner {
	r := p.plan.NewRunner()
	r.Seed = p.seed
	return r
}

func (p *program) put(r *plan.Runner) {
	r.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < maxFree {
		p.free = append(p.free, r)
	}
}

func (p *program) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = nil
}

func (p *program) held() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var n int64
	for _, r := range p.free {
		n += r.Held()
	}
	return n
}

func names(vs []*onnx.Value) []string {
	list := make([]string, len(vs))
	for i, v := range vs {
		list[i] = v.Name
	}
	return list
}

// quoted lists names for people; long lists are cut.
func quoted(list []string) string {
	const most = 20
	parts := make([]string, 0, len(list))
	for i, n := range list {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%.128q", n))
	}
	return strings.Join(parts, ", ")
}
