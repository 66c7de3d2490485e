package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// number types of tensors that kernels compute with.
type real interface {
	vec.Real
	onnx.Number
}

const maxColumns = 256 // columns of an output that one thread reduces at a time

// reduction reduces a tensor over some of its axes. It is the state of a step.
type reduction[T real] struct {
	op    reduce.Op
	exp   bool                   // reduce to log(sum(exp(x))): a reduction by Max comes first
	post  func(v T, count int) T // what becomes of a result of count numbers; nil: itself
	codec *codec[T]              // nil: elements are stored as T

	x, y            []T
	xRaw, yRaw      []byte
	kept, reduced   []axis // outermost first; without the innermost axis
	inner           int    // size of the innermost axis, whose stride is 1
	columns         bool   // the innermost axis is kept: rows are added up
	n               int    // elements of the output
	outer, count    int    // positions along reduced; numbers that make one result
	tileOut, perRow int    // outputs of a tile; tiles of a row of columns
	workers         []*reduceBuffers[T]
}

type reduceBuffers[T real] struct {
	tree  reduce.Tree[T]
	shift []T
	x     []T
}

// bind points t at x, reduced over the axes that mask marks, and at y.
func (t *reduction[T]) bind(r *opdef.Run, x, y *opdef.View, reducedAxis func(i int) bool) {
	if t.codec != nil {
		t.xRaw, t.yRaw = x.Data, y.Data
	} else {
		t.x, t.y = onnx.View[T](x.Data), onnx.View[T](y.Data)
	}
	t.n = y.Len()
	t.split(x.Shape, reducedAxis)
	t.outer = 1
	for _, a := range t.reduced {
		t.outer *= a.size
	}
	t.count = t.outer
	if !t.columns {
		t.count *= t.inner
	}
	t.cut()
	for len(t.workers) < r.Team.Threads() {
		t.workers = append(t.workers, &reduceBuffers[T]{})
	}
}

// split sorts the axes of shape into kept and reduced ones; neighbours of a kind become one.
func (t *reduction[T]) split(shape []int, reducedAxis func(i int) bool) {
	t.kept, t.reduced, t.inner, t.columns = t.kept[:0], t.reduced[:0], 1, false
	stride, last, started := 1, false, false
	for i := len(shape) - 1; i >= 0; i-- {
		d, red := shape[i], reducedAxis(i)
		switch {
		case d == 1:
			continue
		case !started:
			t.inner, t.columns, last, started = d, !red, red, true
		case red == last && len(t.kept)+len(t.reduced) == 0:
			t.inner *= d
		case red:
			t.reduced = mergeAxis(t.reduced, axis{d, stride}, last)
			last = true
		default:
			t.kept = mergeAxis(t.kept, axis{d, stride}, !last)
			last = false
		}
		stride *= d
	}
	flip(t.kept)
	flip(t.reduced)
}

// mergeAxis appends a, an axis outside of those in list; join says that it continues the last one.
func mergeAxis(list []axis, a axis, join bool) []axis {
	if join && len(list) > 0 {
		list[len(list)-1].size *= a.size
		return list
	}
	return append(list, a)
}

func flip(list []axis) {
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
}

// cut chooses tiles: by sizes only.
func (t *reduction[T]) cut() {
	t.tileOut = max(1, tileSize/max(1, t.count))
	t.perRow = 1
	if t.columns {
		t.tileOut = min(max(16, t.tileOut), maxColumns, t.inner)
		if t.tileOut > 0 {
			t.perRow = (t.inner + t.tileOut - 1) / t.tileOut
		}
	}
}

// run computes the output.
func (t *reduction[T]) run(r *opdef.Run) {
	switch {
	case t.n == 0:
	case t.columns:
		r.Team.DoWorkers(t.n/t.inner*t.perRow, t)
	default:
		r.Team.DoWorkers((t.n+t.tileOut-1)/t.tileOut, t)
	}
}

// Tile computes some outputs.
func (t *reduction[T]) Tile(worker, i int) {
	w := t.workers[worker]
	if t.columns {
		row, lo := i/t.perRow, i%t.perRow*t.tileOut
		t.tileColumns(w, row, lo, min(lo+t.tileOut, t.inner))
		return
	}
	for o := i * t.tileOut; o < min((i+1)*t.tileOut, t.n); o++ {
		t.put(o, t.one(w, offsetAt(t.kept, o)))
	}
}

// offsetAt is the offset of position i of a walk along axes.
func offsetAt(axes []axis, i int) int {
	at := 0
	for k := len(axes) - 1; k >= 0; k-- {
		at += i % axes[k].size * axes[k].stride
		i /= axes[k].size
	}
	return at
}

// one reduces the numbers that begin at base to one.
func (t *reduction[T]) one(w *reduceBuffers[T], base int) T {
	if t.exp {
		shift := finite(t.chain(w, reduce.Max, base, 0))
		return logOf(t.chain(w, reduce.SumExp, base, shift)) + shift
	}
	return t.chain(w, t.op, base, 0)
}

func (t *reduction[T]) chain(w *reduceBuffers[T], op reduce.Op, base int, shift T) T {
	if t.outer == 1 && t.inner <= reduce.Block {
		return reduce.One(op, t.load(w, base, t.inner), shift)
	}
	w.tree.Reset(op, 1)
	for m := range t.outer {
		at := base + offsetAt(t.reduced, m)
		for lo := 0; lo < t.inner; lo += reduce.Block {
			x := t.load(w, at+lo, min(reduce.Block, t.inner-lo))
			leaf := w.tree.Leaf()
			leaf[0] = reduce.Join(op, leaf[0], reduce.One(op, x, shift))
			w.tree.Next()
		}
	}
	return w.tree.Result()[0]
}

// tileColumns reduces columns lo to hi of a row of outputs.
func (t *reduction[T]) tileColumns(w *reduceBuffers[T], row, lo, hi int) {
	base := offsetAt(t.kept, row) + lo
	if t.exp {
		t.columnsExp(w, base, row*t.inner+lo, hi-lo)
		return
	}
	for i, v := range t.rows(w, t.op, base, hi-lo) {
		t.put(row*t.inner+lo+i, v)
	}
}

func (t *reduction[T]) columnsExp(w *reduceBuffers[T], base, out, n int) {
	w.shift = append(w.shift[:0], t.rows(w, reduce.Max, base, n)...)
	for i, v := range w.shift {
		w.shift[i] = finite(v)
	}
	for i, v := range t.rows(w, reduce.SumExp, base, n) {
		t.put(out+i, logOf(v)+w.shift[i])
	}
}

func (t *reduction[T]) rows(w *reduceBuffers[T], op reduce.Op, base, n int) []T {
	w.tree.Reset(op, n)
	for m := range t.outer {
		reduce.Rows(op, w.tree.Leaf(), t.load(w, base+offsetAt(t.reduced, m), n), w.shift)
		w.tree.Next()
	}
	return w.tree.Result()
}

// load is n elements of x from lo on.
func (t *reduction[T]) load(w *reduceBuffers[T], lo, n int) []T {
	if t.codec == nil {
		return t.x[lo : lo+n]
	}
	if w.x == nil {
		w.x = make([]T, reduce.Block)
	}
	t.codec.load(w.x[:n], t.xRaw, lo)
	return w.x[:n]
}

// put stores output i.
func (t *reduction[T]) put(i int, v T) {
	if t.post != nil {
		v = t.post(v, t.count)
	}
	if t.codec == nil {
		t.y[i] = v
		return
	}
	t.codec.store(t.yRaw, i, v)
}
