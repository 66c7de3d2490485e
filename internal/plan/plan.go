// Package plan lowers a graph to steps and buffers and runs them. It is private and a one-way street: nothing of it is
// written to a file. It names no operator.
//
// A Plan is what does not depend on sizes, a Binding is sizes and offsets for one set of input shapes, a Runner is what one
// run at a time needs: memory, views, state of the steps. Plans and bindings are shared by runners.
package plan

import (
	"slices"
	"sync"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Options of Build.
type Options struct {
	Set     *opdef.Set
	Layouts map[*onnx.Value]opdef.Layout // chosen by the layout pass; nil: all plain
	Threads int                          // most goroutines of a run, the caller included; below 2: the caller alone
	Memory  int64                        // bytes that one run may hold beside weights and inputs; 0 or less: no limit
	Nodes   int64                        // nodes that one run may execute; 0 or less: no limit
	// Keep gives every value memory of its own and keeps nodes that no output needs, so that Value answers for all of them.
	Keep bool
	// Generic tells the operators to use the generic kernel tables.
	Generic bool
	// Direct tells the operators to sum convolutions directly.
	Direct bool
	// Outputs are the values wanted; nil means the graph's outputs.
	Outputs []*onnx.Value
}

// Plan is what does not depend on sizes. It is safe for concurrent use.
type Plan struct {
	g       *onnx.Graph
	o       Options
	vars    *Vars
	vals    []value
	ids     map[*onnx.Value]int
	ins     []int // graph inputs, then captures
	outputs []*onnx.Value
	outs    []int
	steps   []step
	commit  int // first step of the commit section
	updates []update
	usesVar bool
	bodies  []*Plan

	mu     sync.Mutex
	cache  []*Binding // last used first
	binds  int        // bindings made: for tests
	infers int        // steps inferred while binding: for tests
}

// value is what the plan knows of one edge of the graph.
type value struct {
	v       *onnx.Value
	layout  opdef.Layout
	vr      *Var         // variable
	konst   *onnx.Tensor // contents that never change
	preset  *onnx.Tensor // contents of an input that the caller may leave out
	view    opdef.View   // of konst or preset
	input   bool
	def     int  // step that makes it, -1
	last    int  // last step that reads its bytes, len(steps) for outputs
	alias   int  // value whose buffer it may take, -1
	inPlace *Var // variable that it is written into
	output  bool
}

// step is one node.
type step struct {
	node          *onnx.Node
	def           *opdef.Def
	s             opdef.Step
	data          bool // makes its outputs itself
	in, out, caps []int
	consts        []*onnx.Tensor
}

// update is one variable that a run overwrites.
type update struct {
	v       *Var
	val     int
	step    int // the step in the commit section that makes the value, -1: made before
	inPlace bool
}

// Build makes the plan of g, which must not change afterwards. Variables that g updates are defined in vars where they are
// not yet; other initializers with a variable of their name read it; the rest are constants.
func Build(g *onnx.Graph, vars *Vars, o Options) (*Plan, error) {
	for _, u := range g.Updates {
		if _, err := vars.define(u.Var.Name, u.Var.Init); err != nil {
			return nil, err
		}
	}
	return build(g, vars, o, nil)
}

func build(g *onnx.Graph, vars *Vars, o Options, captures []*onnx.Value) (*Plan, error) {
	p := &Plan{g: g, o: o, vars: vars, ids: map[*onnx.Value]int{}, outputs: o.Outputs}
	if p.outputs == nil {
		p.outputs = g.Outputs
	}
	for _, v := range slices.Concat(g.Inputs, captures) {
		id, err := p.input(v)
		if err != nil {
			return nil, err
		}
		p.ins = append(p.ins, id)
	}
	order, err := p.order()
	if err != nil {
		return nil, err
	}
	p.commit = len(order.main)
	for _, n := range slices.Concat(order.main, order.commit) {
		if err := p.add(n); err != nil {
			return nil, onnx.At(n, err)
		}
	}
	if err := p.finish(order); err != nil {
		return nil, err
	}
	return p, nil
}

// finish marks what outlives the last step and decides who shares buffers.
func (p *Plan) finish(order order) error {
	for _, v := range p.outputs {
		id, err := p.id(v)
		if err != nil {
			return err
		}
		p.outs = append(p.outs, id)
		if id >= 0 {
			p.vals[id].last, p.vals[id].output = len(p.steps), true
		}
	}
	for _, u := range p.g.Updates {
		if err := p.update(u, order.early[u.New]); err != nil {
			return err
		}
	}
	for i := range p.vals {
		v := &p.vals[i]
		if v.def < 0 && v.vr == nil && v.konst == nil && !v.input { // a capture of a graph that is not around this one
			return onnx.Invalidf("value %.128q is made by no node", v.v.Name)
		}
		p.usesVar = p.usesVar || v.vr != nil
	}
	for _, b := range p.bodies {
		p.usesVar = p.usesVar || b.usesVar
	}
	if err := p.fetch(); err != nil {
		return err
	}
	if !p.o.Keep {
		p.aliases()
	}
	return nil
}

// fetch gives constants their contents where a step reads them or an output is one, and lets go of the others.
func (p *Plan) fetch() error {
	read := map[int]bool{}
	for i := range p.steps {
		for j, id := range p.steps[i].in {
			if !slices.Contains(p.steps[i].s.ShapeOnly, j) {
				read[id] = true
			}
		}
	}
	for id := range p.vals {
		v := &p.vals[id]
		switch {
		case v.konst == nil:
		case v.output || read[id] || p.o.Keep:
			if err := v.konst.Load(); err != nil {
				return onnx.Invalidf("initializer %.128q: %w", v.v.Name, err)
			}
			v.view = tensorView(v.konst)
		default:
			v.konst.Release()
		}
	}
	return nil
}

// input is the number of a graph input or captured value.
func (p *Plan) input(v *onnx.Value) (int, error) {
	id := len(p.vals)
	if _, ok := p.ids[v]; ok {
		return 0, onnx.Invalidf("input %.128q is listed twice", v.Name)
	}
	p.ids[v] = id
	val := value{v: v, input: true, layout: p.o.Layouts[v], def: -1, last: -1, alias: -1}
	if v.IsInitializer() && v.Graph() == p.g {
		if p.g.Outer == nil {
			val.vr = p.vars.find(v.Name)
		}
		if val.vr == nil {
			t, err := contents(v)
			if err != nil {
				return 0, err
			}
			val.preset, val.view = t, tensorView(t)
		}
	}
	p.vals = append(p.vals, val)
	return id, nil
}

// id is the number of v, made at its first mention; -1 for an absent value.
func (p *Plan) id(v *onnx.Value) (int, error) {
	if v == nil {
		return -1, nil
	}
	if i, ok := p.ids[v]; ok {
		return i, nil
	}
	i := len(p.vals)
	val := value{v: v, layout: p.o.Layouts[v], def: -1, last: -1, alias: -1}
	if v.IsInitializer() {
		if v.Graph().Outer == nil {
			val.vr = p.vars.find(v.Name)
		}
		if val.vr == nil {
			t, err := contents(v)
			if err != nil {
				return 0, err
			}
			val.konst, val.view = t, opdef.View{Elem: t.Elem, Shape: slices.Clone(t.Shape)} // fetch sees to the contents
		}
	}
	p.ids[v] = i
	p.vals = append(p.vals, val)
	return i, nil
}

// contents is what an initializer holds.
func contents(v *onnx.Value) (*onnx.Tensor, error) {
	t := v.Init
	switch {
	case t == nil && v.Sparse != nil:
		return nil, onnx.Internalf("sparse initializer %.128q has not been made dense", v.Name)
	case t == nil:
		return nil, onnx.Invalidf("initializer %.128q has no contents", v.Name)
	case t.External != nil:
		return nil, onnx.Invalidf("initializer %.128q: its external data have not been read", v.Name)
	}
	if err := checkBytes(t.Elem, t.Shape, t.ByteLen(), len(t.StringData())); err != nil {
		return nil, onnx.Invalidf("initializer %.128q: %w", v.Name, err)
	}
	return t, nil
}

// checkBytes compares the length of a tensor's contents with what type and shape say.
func checkBytes(e onnx.ElemType, shape []int, data, strings int) error {
	n, ok := onnx.NumElements(shape)
	if !ok || !e.Valid() {
		return onnx.Invalidf("no tensor has type %v and shape %v", e, shape)
	}
	if e == onnx.String {
		if strings != n {
			return onnx.Invalidf("shape %v: expected %d strings, received %d", shape, n, strings)
		}
		return nil
	}
	bytes, ok := e.NumBytes(n)
	if !ok || bytes != data {
		return onnx.Invalidf("%v of shape %v: expected %d bytes, received %d", e, shape, bytes, data)
	}
	return nil
}

// add compiles n and appends it.
func (p *Plan) add(n *onnx.Node) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = fromPanic(x)
		}
	}()
	def, err := p.o.Set.Lookup(n)
	switch {
	case err != nil:
		return err
	case def.Infer == nil || def.Compile == nil:
		return onnx.Unsupportedf("operator %.128q has no implementation", n.Operator())
	}
	st := step{node: n, def: def}
	c := &opdef.Compile{Node: n, Generic: p.o.Generic, Direct: p.o.Direct}
	if err := p.connect(&st, c); err != nil {
		return err
	}
	if err := p.subgraphs(&st, c); err != nil {
		return err
	}
	if st.s, err = def.Compile(c); err != nil {
		return err
	}
	if st.s.Run == nil {
		return onnx.Internalf("operator %.128q compiles to nothing", n.Operator())
	}
	st.data = st.s.Data || slices.ContainsFunc(n.Outputs(), boxed)
	p.steps = append(p.steps, st)
	p.read(&st)
	return nil
}

// boxed reports whether v is known to live outside the arena.
func boxed(v *onnx.Value) bool {
	return v != nil && (v.Type.Kind != onnx.KindTensor && v.Type.Kind != onnx.KindUnknown || v.Type.Elem == onnx.String)
}

// connect numbers n's inputs and outputs and tells the operator their layouts and constants.
func (p *Plan) connect(st *step, c *opdef.Compile) error {
	for _, v := range st.node.Inputs() {
		id, err := p.id(v)
		if err != nil {
			return err
		}
		var t *onnx.Tensor
		layout := opdef.Plain
		if id >= 0 {
			t, layout = p.vals[id].konst, p.vals[id].layout
		}
		st.in = append(st.in, id)
		st.consts, c.InLayout = append(st.consts, t), append(c.InLayout, layout)
	}
	c.Consts = st.consts
	for _, v := range st.node.Outputs() {
		id, err := p.id(v)
		if err != nil {
			return err
		}
		layout := opdef.Plain
		if id >= 0 {
			layout, p.vals[id].def = p.vals[id].layout, len(p.steps)
		}
		st.out, c.OutLayout = append(st.out, id), append(c.OutLayout, layout)
	}
	return nil
}

// subgraphs makes plans of n's bodies. What they read of the graphs around them becomes an input of theirs, save constants
// and variables, which they find by themselves.
func (p *Plan) subgraphs(st *step, c *opdef.Compile) error {
	var captures []*onnx.Value
	for _, v := range st.node.Captures() {
		id, err := p.id(v)
		if err != nil {
			return err
		}
		if p.vals[id].vr == nil && p.vals[id].konst == nil {
			captures, st.caps = append(captures, v), append(st.caps, id)
		}
	}
	o := p.o
	o.Outputs = nil
	for _, g := range st.node.Subgraphs() {
		b, err := build(g, p.vars, o, captures)
		if err != nil {
			return err
		}
		p.bodies = append(p.bodies, b)
		c.Bodies = append(c.Bodies, body{b})
	}
	return nil
}

// read notes that the last step reads its inputs.
func (p *Plan) read(st *step) {
	k := len(p.steps) - 1
	for j, i := range st.in {
		if i >= 0 && !slices.Contains(st.s.ShapeOnly, j) {
			p.vals[i].last = k
		}
	}
	for _, i := range st.caps {
		p.vals[i].last = k
	}
}

// aliases picks, once, which outputs may take an input's buffer; binding checks that the bytes agree.
func (p *Plan) aliases() {
	taken := map[int]bool{}
	for k := range p.steps {
		st := &p.steps[k]
		for _, a := range st.s.Alias {
			if o, i, ok := st.pair(a); ok && !taken[i] && p.mayTake(k, o, i) {
				p.vals[o].alias, taken[i] = i, true
			}
		}
	}
}

// pair is the output and the input of an alias; ok is false when one is absent or the step reads the input twice.
func (st *step) pair(a opdef.Alias) (o, i int, ok bool) {
	if a.Out >= len(st.out) || a.In >= len(st.in) || st.out[a.Out] < 0 || st.in[a.In] < 0 {
		return 0, 0, false
	}
	o, i = st.out[a.Out], st.in[a.In]
	n := 0
	for _, j := range st.in {
		if j == i {
			n++
		}
	}
	return o, i, n == 1 && !slices.Contains(st.caps, i)
}

func (p *Plan) mayTake(k, o, i int) bool {
	in, out := &p.vals[i], &p.vals[o]
	return in.def >= 0 && in.inPlace == nil && in.last == k && !in.output &&
		out.alias < 0 && out.inPlace == nil && out.layout == in.layout
}

// Inputs lists the graph's inputs in the order that Run takes them.
func (p *Plan) Inputs() []*onnx.Value { return p.g.Inputs }

// Outputs lists the values wanted in the order of Run's results.
func (p *Plan) Outputs() []*onnx.Value { return p.outputs }

// Steps is the number of steps, bodies not counted.
func (p *Plan) Steps() int { return len(p.steps) }

// WeightBytes is the size of the constants that the plan and its bodies read, each counted once, and of the forms that steps
// have made of them so far.
func (p *Plan) WeightBytes() int64 {
	seen := map[*onnx.Tensor]bool{}
	return p.weights(seen)
}

func (p *Plan) weights(seen map[*onnx.Tensor]bool) int64 {
	var n int64
	for i := range p.vals {
		if t := p.vals[i].konst; t != nil && !seen[t] && t.Held() {
			seen[t] = true
			n += int64(t.ByteLen())
		}
	}
	for i := range p.steps {
		if held := p.steps[i].s.Held; held != nil {
			n += held()
		}
	}
	for _, b := range p.bodies {
		n += b.weights(seen)
	}
	return n
}

// Label names step k for people.
func (p *Plan) Label(k int) string { return p.steps[k].node.Label() }
