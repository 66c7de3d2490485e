package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

const (
	tileSize  = 16384 // elements of an output that one thread computes at a time
	chunkSize = 2048  // elements that pass through buffers at a time
)

// tiles is how many tiles cover n elements.
func tiles(n int) int { return (n + tileSize - 1) / tileSize }

// pointwise computes each element of one output from the elements of the inputs at the same place, after broadcasting. It is
// the state of a step.
type pointwise[T, R onnx.Number] struct {
	f        func(y []R, x [][]T)
	in       []source[T]
	at       []int // which input of the node each of in is; nil: all in order
	blocked  []*operand
	shape    []int // of the output in memory
	out      []R
	outHalf  []uint16
	narrow   func(dst []uint16, src []R)
	buffered bool // f must not write where an input may be
	chunk    int
	workers  []pointBuffers[T, R]
}

// pointBuffers is what one thread needs.
type pointBuffers[T, R onnx.Number] struct {
	x   [][]T
	buf [][]T
	raw []uint16
	y   []R
}

// runPointwise runs r with the state p, whose f is set, over all inputs of r.
func runPointwise[T, R onnx.Number](r *opdef.Run, p *pointwise[T, R]) {
	n := p.bind(r)
	p.addWorkers(r.Team.Threads())
	r.Team.DoWorkers(tiles(n), p)
}

func (p *pointwise[T, R]) addWorkers(n int) {
	for len(p.workers) < n {
		p.workers = append(p.workers, pointBuffers[T, R]{x: make([][]T, len(p.in)), buf: make([][]T, len(p.in))})
	}
}

// bind points p at the inputs and the output of r and returns the number of elements to compute.
func (p *pointwise[T, R]) bind(r *opdef.Run) int {
	y := &r.Out[0]
	p.chunk = tileSize
	if p.narrow != nil {
		p.outHalf = onnx.View[uint16](y.Data)
	} else {
		p.out = onnx.View[R](y.Data)
	}
	if p.narrow != nil || p.buffered {
		p.chunk = chunkSize
	}
	p.shape = opdef.Physical(p.shape[:0], y.Layout, y.Shape)
	for i := range p.in {
		p.open(r, i)
		if !p.in[i].direct() {
			p.chunk = chunkSize
		}
	}
	return product(p.shape)
}

// open points source i at its input of r.
func (p *pointwise[T, R]) open(r *opdef.Run, i int) {
	k := p.input(i)
	if p.blocked != nil && p.blocked[k] != nil {
		data, _ := any(p.blocked[k].data).([]T)
		p.in[i].set(data, p.blocked[k].shape, p.shape)
		return
	}
	open(&p.in[i], &r.In[k], p.shape)
}

func (p *pointwise[T, R]) input(i int) int {
	if p.at != nil {
		return p.at[i]
	}
	return i
}

// Tile computes tile i of the output.
func (p *pointwise[T, R]) Tile(worker, i int) {
	w := &p.workers[worker]
	n := max(len(p.out), len(p.outHalf))
	for lo, end := i*tileSize, min((i+1)*tileSize, n); lo < end; lo += p.chunk {
		p.part(w, lo, min(lo+p.chunk, end))
	}
}

func (p *pointwise[T, R]) part(w *pointBuffers[T, R], lo, hi int) {
	n := hi - lo
	for i := range p.in {
		s := &p.in[i]
		if s.direct() {
			w.x[i] = s.data[lo:hi]
			continue
		}
		if w.buf[i] == nil {
			w.buf[i] = make([]T, chunkSize)
		}
		if s.widen != nil && w.raw == nil {
			w.raw = make([]uint16, chunkSize)
		}
		w.x[i] = s.read(w.buf[i][:n], w.raw, lo)
	}
	if p.narrow == nil && !p.buffered {
		p.f(p.out[lo:hi], w.x)
		return
	}
	if w.y == nil {
		w.y = make([]R, chunkSize)
	}
	p.f(w.y[:n], w.x)
	if p.narrow != nil {
		p.narrow(p.outHalf[lo:hi], w.y[:n])
	} else {
		copy(p.out[lo:hi], w.y[:n])
	}
}

// newPointwise makes the state for n inputs of T and an output of R.
func newPointwise[T, R onnx.Number](n int, f func(y []R, x [][]T)) *pointwise[T, R] {
	return &pointwise[T, R]{f: f, in: make([]source[T], n), buffered: n > 2}
}

// setHalf makes inputs of p, and the output where R is T, 16-bit floating point; nil changes nothing.
func (p *pointwise[T, R]) setHalf(h *format) {
	if h == nil {
		return
	}
	for i := range p.in {
		p.in[i] = newSource[T](h)
	}
	p.narrow, _ = any(h.narrow).(func(dst []uint16, src []R))
}

// pointStep is the step of y = f(x...) where elements are stored as they are computed.
func pointStep[T, R onnx.Number](c *opdef.Compile, f func(y []R, x [][]T)) (opdef.Step, error) {
	return pointStepOf(c, nil, f)
}

// halfStep is the step of y = f(x...) where inputs are 16-bit floating point, computed in float32; so is the output if R is
// float32.
func halfStep[R onnx.Number](c *opdef.Compile, f func(y []R, x [][]float32)) (opdef.Step, error) {
	return pointStepOf(c, formatOf(c.Elem(0)), f)
}

func pointStepOf[T, R onnx.Number](c *opdef.Compile, half *format, f func(y []R, x [][]T)) (opdef.Step, error) {
	n, operands := c.Node.NumIn(), blockedOperands(c)
	s := opdef.Step{
		State: func() any {
			p := newPointwise(n, f)
			p.setHalf(half)
			p.blocked = operands
			return p
		},
		Run: func(r *opdef.Run) error {
			runPointwise(r, r.State.(*pointwise[T, R]))
			return nil
		},
	}
	if c.Elem(0) == c.OutElem(0) {
		s.Alias = aliases(n)
	}
	return s, oneElem(c)
}

// aliases lets output 0 take the buffer of any of n inputs.
func aliases(n int) []opdef.Alias {
	a := make([]opdef.Alias, n)
	for i := range a {
		a[i].In = i
	}
	return a
}

// oneElem checks that all inputs are present and have one element type.
func oneElem(c *opdef.Compile) error {
	for i := range c.Node.NumIn() {
		if c.Elem(i) != c.Elem(0) {
			return onnx.Invalidf("input %d is of type %v, input 0 of type %v", i, c.Elem(i), c.Elem(0))
		}
	}
	return nil
}
