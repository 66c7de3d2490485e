package plan

import (
	"bytes"
	"errors"
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// lateValue is the memory of a value whose size is known only while a run goes on.
type lateValue struct {
	data  []byte
	size  int // the largest asked for so far
	shape []int
}

// own is a copy of shape, the one before if that is the same. Views handed out earlier keep theirs.
func (h *lateValue) own(shape []int) []int {
	if h.shape == nil || !slices.Equal(h.shape, shape) {
		h.shape = append(make([]int, 0, len(shape)), shape...)
	}
	return h.shape
}

// lateStep is what a runner keeps for a step that it binds just before it runs.
type lateStep struct {
	sig     []byte // types and contents that sizes were found from
	next    []byte
	outs    []onnx.Type
	shapes  [][]int
	scratch []byte
	valid   bool
	infer   opdef.Infer
	bound   opdef.Bound
}

// maxContents is the length up to which contents of tensors of rank 0 and 1 take part in finding sizes late.
const maxContents = 1024

// bindLate finds the sizes of the outputs of step k, and scratch memory, now that its inputs are there. A step that makes
// its outputs itself gets them empty.
func (r *Runner) bindLate(k int) error {
	st, run, l := &r.p.steps[k], &r.runs[k], &r.late[k]
	if st.data {
		for j, o := range st.out {
			if o >= 0 {
				r.views[o], run.Out[j] = opdef.View{}, opdef.View{}
			}
		}
		return r.lateScratch(k)
	}
	if l.next = signature(l.next[:0], run.In); !l.valid || !bytes.Equal(l.next, l.sig) {
		l.valid = false
		if err := r.inferLate(k); err != nil {
			return err
		}
		l.sig, l.next, l.valid = l.next, l.sig, true
	}
	for j, o := range st.out {
		if o < 0 {
			continue
		}
		if l.outs[j].Elem == onnx.String { // made by the step
			r.views[o], run.Out[j] = opdef.View{}, opdef.View{}
			continue
		}
		if _, err := r.Alloc(run, j, l.outs[j].Elem, l.shapes[j]); err != nil {
			return err
		}
	}
	return r.lateScratch(k)
}

// inferLate asks the operator for the sizes, with the contents of short inputs for constants.
func (r *Runner) inferLate(k int) error {
	st, run, l := &r.p.steps[k], &r.runs[k], &r.late[k]
	c := &l.infer
	st.prepare(c)
	c.Consts = slices.Clone(st.consts)
	for j := range st.in {
		if st.in[j] < 0 {
			continue
		}
		v := run.In[j]
		c.Ins[j] = typeOf(v)
		if c.Consts[j] == nil && hasContents(&v) {
			t, err := onnx.Borrow(v.Elem, v.Shape, bytes.Clone(v.Data))
			if err != nil {
				return onnx.Internalf("input %d: %w", j, err)
			}
			c.Consts[j] = t
			c.InInts[j], _ = opdef.DimsOf(t)
		}
	}
	if err := st.def.Infer(c); err != nil {
		if errors.Is(err, opdef.ErrNoRank) {
			if err := noList(c); err != nil {
				return err
			}
			return onnx.Invalidf("no sizes come of these inputs: %w", err)
		}
		return err
	}
	return r.takeLate(st, l)
}

// takeLate checks what inference said and keeps it.
func (r *Runner) takeLate(st *step, l *lateStep) error {
	l.outs, l.shapes = slices.Clone(l.infer.Outs), make([][]int, len(st.out))
	for j, o := range st.out {
		if o < 0 {
			continue
		}
		t := l.outs[j]
		if (!t.IsTensor() || !t.IsFixed()) && holdsLeast(&l.infer) {
			return onnx.Invalidf("output %d: no size comes of an input that holds %d", j, onnx.Unknown.N)
		}
		if !t.IsTensor() || !t.IsFixed() {
			if err := noList(&l.infer); err != nil {
				return err
			}
			return onnx.Invalidf("no sizes of output %d come of these inputs: %v", j, t)
		}
		if err := r.p.checkElem(o, t.Elem); err != nil {
			return err
		}
		s, err := sizes(nil, t.Shape)
		if err != nil {
			return err
		}
		l.shapes[j] = s
	}
	return nil
}

// holdsLeast reports whether contents that are known hold the number that stands for an unknown size.
func holdsLeast(c *opdef.Infer) bool {
	for j, ints := range c.InInts {
		if x := c.Consts[j]; ints == nil && x != nil && smallInts(x.Elem, x.Shape) {
			ints, _ = opdef.DimsOf(x)
		}
		if slices.Contains(ints, onnx.Unknown) {
			return true
		}
	}
	return false
}

// noList is the error that an input beside the data holds integers in a shape that sizes cannot have; nil when none does.
func noList(c *opdef.Infer) error {
	for j, t := range c.Ins {
		integer := t.Elem == onnx.Int64 || t.Elem == onnx.Int32
		if !integer || j == 0 && len(c.Ins) > 1 || t.Rank() == 0 || t.Rank() == 1 && t.Shape[0].N <= maxContents {
			continue
		}
		return onnx.Invalidf("input %d: expected a list of at most %d sizes, received %v", j, maxContents, t)
	}
	return nil
}

// hasContents reports whether a view's contents may decide sizes.
func hasContents(v *opdef.View) bool {
	return v.Elem != onnx.String && v.Box == nil && !v.Absent() &&
		(len(v.Shape) == 0 || len(v.Shape) == 1 && v.Shape[0] <= maxContents)
}

// signature appends everything that inference may look at.
func signature(s []byte, in []opdef.View) []byte {
	for i := range in {
		v := &in[i]
		s = append(s, byte(v.Elem), byte(len(v.Shape)))
		for _, d := range v.Shape {
			for ; d > math.MaxInt8; d >>= 7 {
				s = append(s, byte(d)|0x80)
			}
			s = append(s, byte(d))
		}
		switch {
		case v.Box != nil && v.Elem != onnx.String:
			s = append(append(s, typeOf(*v).String()...), 0)
		case hasContents(v):
			s = append(s, v.Data...)
		}
	}
	return s
}

// lateScratch takes scratch memory for a step that is bound late.
func (r *Runner) lateScratch(k int) error {
	st, run, l := &r.p.steps[k], &r.runs[k], &r.late[k]
	if st.s.Scratch == nil {
		return nil
	}
	l.bound = opdef.Bound{In: run.In, Out: run.Out, Threads: max(r.p.o.Threads, 1)}
	n := st.s.Scratch(&l.bound)
	if n < 0 {
		return onnx.Invalidf("scratch memory is too large")
	}
	if n > len(l.scratch) {
		if err := r.root.hold(int64(n - len(l.scratch))); err != nil {
			return err
		}
		l.scratch = onnx.Bytes(n)
	}
	run.Scratch = l.scratch[:n]
	return nil
}

// checkLate makes sure that the step has made its outputs, of the types that its readers were compiled for.
func (r *Runner) checkLate(k int) error {
	for _, o := range r.p.steps[k].out {
		if o < 0 {
			continue
		}
		v := &r.views[o]
		if v.Absent() {
			return onnx.Internalf("output %.128q was not made", r.p.vals[o].v.Name)
		}
		if v.Elem == onnx.Undefined {
			continue
		}
		if err := r.p.checkElem(o, v.Elem); err != nil {
			return err
		}
		if v.Layout == opdef.Blocked {
			continue // Alloc has made it
		}
		if err := checkBytes(v.Elem, v.Shape, len(v.Data), len(v.Strings())); err != nil {
			return onnx.Internalf("output %.128q: %w", r.p.vals[o].v.Name, err)
		}
	}
	return nil
}

// Alloc makes the buffer of output i of a running step (opdef.Host).
func (r *Runner) Alloc(run *opdef.Run, i int, e onnx.ElemType, shape []int) (opdef.View, error) {
	id := r.outID(run, i)
	if id < 0 {
		return opdef.View{}, nil
	}
	n, err := numBytes(e, r.p.vals[id].layout, shape)
	if err != nil {
		return opdef.View{}, err
	}
	if e == onnx.String || !e.Valid() {
		return opdef.View{}, onnx.Internalf("no buffer holds elements of type %v", e)
	}
	v := opdef.View{Elem: e, Layout: r.p.vals[id].layout, Shape: r.heap[id].own(shape)}
	if v.Data, err = r.lateBuffer(id, n); err != nil {
		return opdef.View{}, err
	}
	r.views[id], run.Out[i] = v, v
	return v, nil
}

// lateBuffer is n bytes for value id: the variable's own for a value that is written in place.
func (r *Runner) lateBuffer(id, n int) ([]byte, error) {
	if vr := r.p.vals[id].inPlace; vr != nil {
		if d := vr.view().Data; len(d) == n {
			return d, nil
		}
		return nil, onnx.Invalidf("variable %.128q: expected %v, received %d bytes", vr.name, vr.t.Type(), n)
	}
	h := &r.heap[id]
	if len(h.data) < n {
		grown := n
		if h.size > 0 && n > h.size { // it grows from run to run
			grown = room(n)
		}
		h.size = max(h.size, n)
		r.spare.retire(h.data)
		h.data = nil
		d, err := r.takeBuffer(grown)
		if err != nil {
			return nil, err
		}
		h.data = d
	}
	return h.data[:n:n], nil
}

// SetView makes v output i of a running step (opdef.Host). A view that shares memory with an input of the step is copied,
// since that memory may serve others once the step is done.
func (r *Runner) SetView(run *opdef.Run, i int, v opdef.View) {
	id := r.outID(run, i)
	if id < 0 {
		return
	}
	if len(v.Data) > 0 && (overlapsAny(v.Data, run.In) || overlapsAny(v.Data, run.Captures)) {
		w, err := r.Alloc(run, i, v.Elem, v.Shape)
		if err != nil {
			panic(opdef.Fault{Err: err}) // becomes the step's error
		}
		copy(w.Data, v.Data)
		return
	}
	v.Shape = r.heap[id].own(v.Shape)
	r.views[id], run.Out[i] = v, v
}

// outID is the number of output i of a running step; -1 when it is absent.
func (r *Runner) outID(run *opdef.Run, i int) int {
	st := &r.p.steps[r.cur]
	if i >= len(st.out) || &r.runs[r.cur] != run {
		return -1
	}
	return st.out[i]
}

// Memory charges bytes to this run (opdef.Host); a negative number gives them back.
func (r *Runner) Memory(n int64) error {
	b := &r.root.budget
	if n > 0 && b.extra > math.MaxInt64-n {
		return r.over(n)
	}
	b.extra += n
	return r.over(0)
}

// hold charges bytes that stay from run to run.
func (r *Runner) hold(n int64) error {
	if err := r.over(n); err != nil {
		return err
	}
	r.budget.held += n
	return nil
}

// over is an error when n bytes more are too many.
func (r *Runner) over(n int64) error {
	b, limit := &r.root.budget, r.p.o.Memory
	if used := b.held + b.extra; limit > 0 && (used > limit || n > limit-used) {
		return &onnx.LimitError{Limit: memoryLimit, Value: limit, Asked: saturated(used, n), Unit: "bytes"}
	}
	return nil
}

func saturated(a, b int64) int64 {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}

// Charge pays for executed nodes and looks at the context (opdef.Host).
func (r *Runner) Charge(n int) error {
	if err := r.root.pay(n); err != nil {
		return err
	}
	return r.stopped(r.runs[r.cur].Ctx)
}

func (r *Runner) pay(n int) error {
	r.budget.nodes += int64(n)
	if limit := r.p.o.Nodes; limit > 0 && r.budget.nodes > limit {
		return &onnx.LimitError{Limit: "nodes executed in one run", Value: limit, Asked: r.budget.nodes, Unit: "nodes"}
	}
	return nil
}

func isLimit(err error) bool {
	if err == nil {
		return false
	}
	var e *onnx.LimitError
	return errors.As(err, &e) && e.Unit == "bytes"
}

// drop gives up the memory kept from earlier runs, that of bodies included.
func (r *Runner) drop() {
	trace, seed, step, training := r.Trace, r.Seed, r.StepNo, r.Training
	r.unwatch()
	*r = *r.p.NewRunner()
	r.root = r // the steps point at the new one still
	for k := range r.runs {
		r.runs[k].Host = r
	}
	r.Trace, r.Seed, r.StepNo, r.Training = trace, seed, step, training
}
