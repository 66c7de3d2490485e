package plan

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/parallel"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Runner is a run object: memory, views and what steps keep from run to run. It serves one run at a time.
type Runner struct {
	// Seed and StepNo are parts of the key of random numbers.
	Seed, StepNo uint64
	// Training says that runs are training steps.
	Training bool
	// Trace, when not nil, hears of each step that has run, those of bodies included. When nil no clock is read.
	Trace func(Event)

	p     *Plan
	b     *Binding
	arena []byte
	views []opdef.View
	runs  []opdef.Run
	late  []lateStep
	heap  []lateValue
	spare spare
	cur   int // the step that runs

	isWired  bool
	shapes   [][]int
	in, out  []opdef.View // as wired
	direct   []bool       // outputs that steps write into the caller's buffer
	substOf  map[int][]byte
	root     *Runner // the runner that the caller holds: budget and cancellation are its
	depth    int
	team     *parallel.Team
	budget   budget
	watching watch
}

// Event is one step that has run.
type Event struct {
	Step     int // of its plan
	Depth    int // subgraphs around it
	Node     *onnx.Node
	Start    time.Time
	Duration time.Duration
	Cost     opdef.Cost
	Late     bool     // sizes were found just before it ran
	Outputs  []string // type and shape of each output
}

// budget is what a run may still use.
type budget struct {
	held  int64 // bytes kept from run to run: arenas, buffers of late values
	extra int64 // bytes charged by this run alone
	nodes int64
}

// watch sets a flag when a context is done, so that kernels stop between tiles.
type watch struct {
	done <-chan struct{}
	flag *atomic.Bool
	stop func() bool
}

// NewRunner makes a run object.
func (p *Plan) NewRunner() *Runner {
	r := &Runner{
		p: p, views: make([]opdef.View, len(p.vals)), runs: make([]opdef.Run, len(p.steps)),
		late: make([]lateStep, len(p.steps)), heap: make([]lateValue, len(p.vals)),
	}
	r.root = r
	for k := range p.steps {
		st, run := &p.steps[k], &r.runs[k]
		run.Node, run.ID, run.Host, run.Generic = st.node, uint64(st.node.ID), r, p.o.Generic
		views := make([]opdef.View, len(st.in)+len(st.out)+len(st.caps))
		run.In, views = views[:len(st.in):len(st.in)], views[len(st.in):]
		run.Out, run.Captures = views[:len(st.out):len(st.out)], views[len(st.out):]
		if st.s.State != nil {
			run.State = st.s.State()
		}
	}
	return r
}

// Plan is the plan that r runs.
func (r *Runner) Plan() *Plan { return r.p }

// Held is the bytes that r keeps from run to run.
func (r *Runner) Held() int64 { return r.budget.held }

// ArenaBytes is the size of the arena of the last run, bodies not counted.
func (r *Runner) ArenaBytes() int64 { return int64(len(r.arena)) }

// Close ends the watch on the last context. The runner may be used again.
func (r *Runner) Close() { r.unwatch() }

// Run runs on ins, in the order of Plan.Inputs; the zero View stands for an input left out. Where outs, which may be nil,
// has a buffer, the result is delivered there: it must have the result's type and shape. Other results are read with Out.
// Variables change together, at the end, after results have been delivered.
//
// With the same shapes, buffers and context as last time Run allocates nothing.
func (r *Runner) Run(ctx context.Context, ins, outs []opdef.View) error {
	return r.run(ctx, ins, outs, nil)
}

// Results is Run with results of their own, one for each of Plan.Outputs; nil for an absent one.
func (r *Runner) Results(ctx context.Context, ins []opdef.View) ([]onnx.Object, error) {
	results := make([]onnx.Object, len(r.p.outs))
	if err := r.run(ctx, ins, make([]opdef.View, len(r.p.outs)), results); err != nil {
		return nil, err
	}
	return results, nil
}

// Out is result i, valid until the next run. A result that is a variable shows what the run made of it.
func (r *Runner) Out(i int) opdef.View {
	if id := r.p.outs[i]; id >= 0 {
		return r.views[id]
	}
	return opdef.View{}
}

// Value is any value of the graph after a run of a plan with Options.Keep, valid until the next run.
func (r *Runner) Value(v *onnx.Value) (opdef.View, bool) {
	id, ok := r.p.ids[v]
	if !ok || id < 0 {
		return opdef.View{}, false
	}
	return r.views[id], true
}

func (r *Runner) run(ctx context.Context, ins, outs []opdef.View, results []onnx.Object) error {
	held := r.budget.held
	err := r.once(ctx, ins, outs, results)
	if held > 0 && isLimit(err) { // what earlier runs left may be what does not fit
		r.drop()
		clear(results)
		if results != nil {
			clear(outs)
		}
		return r.once(ctx, ins, outs, results)
	}
	return err
}

// once runs both sections.
func (r *Runner) once(ctx context.Context, ins, outs []opdef.View, results []onnx.Object) error {
	r.budget.extra, r.budget.nodes = 0, 0
	if err := r.prepare(ins, outs, results); err != nil {
		return err
	}
	r.team = parallel.Acquire(r.p.o.Threads) // a team of one too: it stops between tiles
	defer r.release()
	if r.watch(ctx) {
		r.team.SetStop(r.watching.flag)
	}
	if err := r.main(ctx, outs, results); err != nil || len(r.p.updates) == 0 {
		return err
	}
	r.team.SetStop(nil)
	return r.commit(ctx)
}

func (r *Runner) release() {
	r.team.Release()
	r.team = nil
}

// main runs the steps before the commit section and delivers the results, under the read lock.
func (r *Runner) main(ctx context.Context, outs []opdef.View, results []onnx.Object) (err error) {
	if r.p.usesVar {
		vars := r.p.vars
		vars.mu.RLock()
		defer vars.mu.RUnlock()
		if vars.torn != nil {
			return vars.torn
		}
	}
	defer r.recover(&err)
	if err := r.pay(len(r.p.steps)); err != nil { // for the commit section too, which must not fail half way
		return err
	}
	if err := r.steps(ctx, 0, r.p.commit); err != nil {
		return err
	}
	if err := r.stopped(ctx); err != nil {
		return err
	}
	return r.deliver(outs, results)
}

// commit runs the commit section under the write lock. It is not cancelled: variables change all or not at all.
func (r *Runner) commit(ctx context.Context) (err error) {
	vars := r.p.vars
	vars.mu.Lock()
	defer vars.mu.Unlock()
	if vars.torn != nil {
		return vars.torn
	}
	defer func() {
		if err != nil { // only a fault of a kernel or a limit gets here
			vars.torn = onnx.Internalf("the variables are half written since an update failed: %w", err)
		}
	}()
	defer r.recover(&err)
	if ctx.Done() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	if err := r.steps(ctx, r.p.commit, len(r.p.steps)); err != nil {
		return err
	}
	return r.update()
}

// update copies the new values that are not in place and counts versions.
func (r *Runner) update() error {
	for _, u := range r.p.updates {
		if from := r.views[u.val]; from.Elem != u.v.t.Elem || !slices.Equal(from.Shape, u.v.t.Shape) {
			return onnx.Invalidf("variable %.128q: expected %v, received %v", u.v.name, u.v.t.Type(), typeOf(from))
		}
	}
	for _, u := range r.p.updates {
		if u.step >= 0 && r.runs[u.step].Unchanged {
			continue
		}
		if !u.inPlace {
			copy(u.v.t.Mutable(), r.views[u.val].Data)
		}
		u.v.version++
	}
	return nil
}

// stopped is an error once ctx is done.
func (r *Runner) stopped(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	cause := context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return fmt.Errorf("run stopped: %w", err)
	}
	return fmt.Errorf("run stopped: %w (%w)", cause, err)
}

// watch arranges that the flag is set when ctx is done, and keeps the arrangement for the next run with the same context.
func (r *Runner) watch(ctx context.Context) bool {
	done := ctx.Done()
	if done == nil {
		return false
	}
	if done != r.watching.done {
		r.unwatch()
		flag := new(atomic.Bool)
		r.watching = watch{done, flag, context.AfterFunc(ctx, func() { flag.Store(true) })}
	}
	return true
}

func (r *Runner) unwatch() {
	if r.watching.stop != nil {
		r.watching.stop()
	}
	r.watching = watch{}
}

// recover makes an error of a panic, placed at the step that ran.
func (r *Runner) recover(err *error) {
	if x := recover(); x != nil {
		*err = fromPanic(x)
		if r.cur < len(r.runs) {
			*err = r.p.errAt(r.cur, &r.runs[r.cur], *err)
		}
	}
}

// fromPanic makes an error of what a panic was called with.
func fromPanic(x any) error {
	stack := debug.Stack()
	if p, ok := x.(*parallel.Panic); ok {
		x, stack = p.Value, p.Stack
	}
	if f, ok := x.(opdef.Fault); ok {
		return f.Err
	}
	return &panicError{onnx.Internalf("panic: %v", x), stack}
}

// panicError is an internal error that remembers where it happened.
type panicError struct {
	error
	stack []byte
}

func (e *panicError) Unwrap() error { return e.error }

// Stack is the stack of the goroutine that panicked.
func (e *panicError) Stack() []byte { return e.stack }

// steps runs the steps from one up to, not including, another.
func (r *Runner) steps(ctx context.Context, from, to int) error {
	for k := from; k < to; k++ {
		r.cur = k
		run := &r.runs[k]
		if err := r.stopped(ctx); err != nil {
			return err
		}
		if err := r.step(ctx, k, run); err != nil {
			return r.p.errAt(k, run, err)
		}
	}
	return nil
}

func (r *Runner) step(ctx context.Context, k int, run *opdef.Run) error {
	st, bs := &r.p.steps[k], &r.b.steps[k]
	run.Ctx, run.Team, run.Unchanged = ctx, r.team, false
	run.Seed, run.StepNo, run.Training = r.Seed, r.StepNo, r.Training
	if bs.dynamic {
		r.fill(k)
	}
	if bs.late {
		if err := r.bindLate(k); err != nil {
			return err
		}
	}
	if r.Trace != nil {
		if err := r.traced(k, st, run); err != nil {
			return err
		}
	} else if err := st.s.Run(run); err != nil {
		return err
	}
	if bs.late {
		if err := r.checkLate(k); err != nil {
			return err
		}
	}
	for _, id := range bs.frees {
		r.discard(id)
	}
	if len(r.spare.retired) > 0 {
		r.spare.settle()
	}
	return nil
}

func (r *Runner) traced(k int, st *step, run *opdef.Run) error {
	start := time.Now()
	err := st.s.Run(run)
	e := Event{Step: k, Depth: r.depth, Node: st.node, Start: start, Duration: time.Since(start), Late: r.b.steps[k].late}
	if err != nil {
		return err
	}
	e.Cost = cost(st, run)
	for j, v := range run.Out {
		if st.out[j] >= 0 {
			e.Outputs = append(e.Outputs, typeOf(v).String())
		}
	}
	r.Trace(e)
	return nil
}

// cost is what the operator says, or the bytes of its operands.
func cost(st *step, run *opdef.Run) opdef.Cost {
	if st.s.Cost != nil {
		return st.s.Cost(&opdef.Bound{In: run.In, Out: run.Out, Threads: run.Team.Threads()})
	}
	var c opdef.Cost
	for _, vs := range [][]opdef.View{run.In, run.Out} {
		for _, v := range vs {
			c.Bytes += int64(len(v.Data))
		}
	}
	return c
}

// fill copies the views that step k reads and writes.
func (r *Runner) fill(k int) {
	st, run := &r.p.steps[k], &r.runs[k]
	for j, i := range st.in {
		if i >= 0 {
			run.In[j] = r.views[i]
		}
	}
	for j, i := range st.caps {
		run.Captures[j] = r.views[i]
	}
	for j, i := range st.out {
		if i >= 0 {
			run.Out[j] = r.views[i]
		}
	}
}

// errAt places err at step k, with the types that its inputs have in this run.
func (p *Plan) errAt(k int, run *opdef.Run, err error) error {
	return p.errWith(k, err, func(j int) onnx.Type { return typeOf(run.In[j]) })
}

// errBound is errAt while sizes are found.
func (p *Plan) errBound(k int, b *Binding, err error) error {
	return p.errWith(k, err, func(j int) onnx.Type { return b.vals[p.steps[k].in[j]].typ })
}

func (p *Plan) errWith(k int, err error, in func(j int) onnx.Type) error {
	st := &p.steps[k]
	e := &onnx.NodeError{Node: st.node.Label(), OpType: st.node.Operator(), Opset: st.node.Opset(), Err: err}
	for j, i := range st.in {
		s := "none"
		if i >= 0 {
			s = in(j).String()
		}
		e.Inputs = append(e.Inputs, s)
	}
	return e
}
