package ops

import (
	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/onnx"
)

// region is a box of elements that lie at regular steps: element i of axis a is stride[a]*i after the start.
type region struct {
	at     int
	stride []int
}

// odometer is the part of a strided copy that changes while it runs; kept, so that nothing is allocated.
type odometer struct {
	shape, ys, xs, index []int
	quick                *gemm.Table[float32] // what transposes elements of four bytes; nil: plain Go
}

// quickly32 is the table that moves elements of four bytes as if they were float32; nil where plain Go moves them.
func quickly32(generic bool) *gemm.Table[float32] {
	if t := gemm.Best[float32](); !generic && t.Level != cpu.Generic {
		return t
	}
	return nil
}

// collapse keeps the axes of size greater than 1 and merges those that lie one behind the other in both regions.
func (o *odometer) collapse(shape, ys, xs []int) {
	o.shape, o.ys, o.xs = o.shape[:0], o.ys[:0], o.xs[:0]
	for a, n := range shape {
		last := len(o.shape) - 1
		switch {
		case n == 1:
		case last >= 0 && o.ys[last] == ys[a]*n && o.xs[last] == xs[a]*n:
			o.shape[last] *= n
			o.ys[last], o.xs[last] = ys[a], xs[a]
		default:
			o.shape, o.ys, o.xs = append(o.shape, n), append(o.ys, ys[a]), append(o.xs, xs[a])
		}
	}
}

// parallelCopy is the number of elements from which a copy is shared among threads.
const parallelCopy = 1 << 15

// strided copies the box of the given shape from x to y. The regions must lie inside the arrays.
func (m *mover) strided(y array, to region, x array, from region, shape []int) {
	total := 1
	for _, n := range shape {
		total *= n
	}
	if total == 0 {
		return
	}
	o := &m.odo
	o.quick = quickly32(m.Generic)
	o.collapse(shape, to.stride, from.stride)
	if threads := m.Team.Threads(); threads > 1 && total >= parallelCopy && len(o.shape) > 0 {
		m.share.set(o, y, to.at, x, from.at, 4*threads)
		m.Team.Do(m.share.count, &m.share)
		m.share.x, m.share.y = array{}, array{}
		return
	}
	o.copy(y, to.at, x, from.at)
}

// copy copies the collapsed box.
func (o *odometer) copy(y array, yo int, x array, xo int) {
	switch y.size {
	case 0:
		stridedCopy(o, y.s, yo, x.s, xo)
	case 1:
		stridedCopy(o, y.b, yo, x.b, xo)
	case 2:
		stridedCopy(o, onnx.View[uint16](y.b), yo, onnx.View[uint16](x.b), xo)
	case 4:
		if o.quick != nil {
			stridedCopy(o, onnx.View[float32](y.b), yo, onnx.View[float32](x.b), xo)
			return
		}
		stridedCopy(o, onnx.View[uint32](y.b), yo, onnx.View[uint32](x.b), xo)
	case 8:
		stridedCopy(o, onnx.View[uint64](y.b), yo, onnx.View[uint64](x.b), xo)
	default:
		stridedCopy(o, onnx.View[complex128](y.b), yo, onnx.View[complex128](x.b), xo)
	}
}

// shared is a strided copy cut into parts along its largest axis.
type shared struct {
	x, y  array
	count int
	parts []odometer
	at    [][2]int // where each part starts in y and in x
}

func (s *shared) set(o *odometer, y array, yo int, x array, xo, count int) {
	axis := 0
	for a, n := range o.shape {
		if n > o.shape[axis] {
			axis = a
		}
	}
	n := o.shape[axis]
	count = min(count, n)
	for len(s.parts) < count {
		s.parts, s.at = append(s.parts, odometer{}), append(s.at, [2]int{})
	}
	s.x, s.y, s.count = x, y, count
	for i := range count {
		p, size, more := &s.parts[i], n/count, n%count
		lo := i*size + min(i, more)
		hi := lo + size + b2i(i < more)
		p.shape, p.ys, p.xs = append(p.shape[:0], o.shape...), append(p.ys[:0], o.ys...), append(p.xs[:0], o.xs...)
		p.shape[axis], p.quick = hi-lo, o.quick
		s.at[i] = [2]int{yo + lo*o.ys[axis], xo + lo*o.xs[axis]}
	}
}

// Tile copies part i.
func (s *shared) Tile(i int) { s.parts[i].copy(s.y, s.at[i][0], s.x, s.at[i][1]) }

// stridedCopy walks the collapsed axes but the last two, and copies a plane for each place.
func stridedCopy[T any](o *odometer, y []T, yo int, x []T, xo int) {
	r := len(o.shape)
	if r == 0 {
		y[yo] = x[xo]
		return
	}
	outer, rows, ry, rx := 0, 1, 0, 0
	if r > 1 {
		outer = planeAxis(o)
		rows, ry, rx = o.shape[outer], o.ys[outer], o.xs[outer]
	}
	cols, cy, cx := o.shape[r-1], o.ys[r-1], o.xs[r-1]
	o.index = o.index[:0]
	for range r {
		o.index = append(o.index, 0)
	}
	for {
		if !o.turn(y, yo, ry, cy, x, xo, rx, cx, rows, cols) {
			plane(y, yo, ry, cy, x, xo, rx, cx, rows, cols)
		}
		a := r - 2
		for ; a >= 0; a-- {
			if a == outer && r > 1 {
				continue
			}
			o.index[a]++
			yo, xo = yo+o.ys[a], xo+o.xs[a]
			if o.index[a] < o.shape[a] {
				break
			}
			yo, xo = yo-o.ys[a]*o.shape[a], xo-o.xs[a]*o.shape[a]
			o.index[a] = 0
		}
		if a < 0 {
			return
		}
	}
}

// planeAxis chooses the axis that is walked together with the last one: the one that lies together in x, so that a tile of
// both stays in the cache; the last but one when that is the last itself.
func planeAxis(o *odometer) int {
	r := len(o.shape)
	if o.xs[r-1] != 1 {
		for a := r - 2; a >= 0; a-- {
			if o.xs[a] == 1 {
				return a
			}
		}
	}
	return r - 2
}

// turnTile is the edge of the squares that are transposed by vectors, of which two fit the nearest cache.
const turnTile = 64

// turn is plane by vectors; it reports false for what those cannot do.
func (o *odometer) turn(y any, yo, ry, cy int, x any, xo, rx, cx, rows, cols int) bool {
	to, ok := y.([]float32)
	if o.quick == nil || !ok || cy != 1 || rx != 1 || rows < 8 || cols < 8 {
		return false
	}
	from := x.([]float32)
	for c := 0; c < cols; c += turnTile {
		for r := 0; r < rows; r += turnTile {
			o.quick.Transpose(to[yo+r*ry+c:], ry, from[xo+r+c*cx:], cx, min(turnTile, cols-c), min(turnTile, rows-r))
		}
	}
	return true
}

// tile is the edge of the squares in which a plane is transposed.
const tile = 16

func plane[T any](y []T, yo, ry, cy int, x []T, xo, rx, cx, rows, cols int) {
	switch {
	case cy == 1 && cx == 1:
		for i := range rows {
			copy(y[yo+i*ry:yo+i*ry+cols], x[xo+i*rx:xo+i*rx+cols])
		}
	case cy == 1 && cx == 0:
		for i := range rows {
			fill(y[yo+i*ry:yo+i*ry+cols], x[xo+i*rx])
		}
	case rx == 1:
		for c := 0; c < cols; c += tile {
			for r := 0; r < rows; r += tile {
				patch(y, yo+r*ry+c*cy, ry, cy, x, xo+r*rx+c*cx, rx, cx, min(tile, rows-r), min(tile, cols-c))
			}
		}
	default:
		patch(y, yo, ry, cy, x, xo, rx, cx, rows, cols)
	}
}

func fill[T any](y []T, v T) {
	for i := range y {
		y[i] = v
	}
}

func patch[T any](y []T, yo, ry, cy int, x []T, xo, rx, cx, rows, cols int) {
	for i := range rows {
		p, q := yo+i*ry, xo+i*rx
		for range cols {
			y[p] = x[q]
			p, q = p+cy, q+cx
		}
	}
}

// rowMajor are the strides of shape, valid until the run ends.
func (m *mover) rowMajor(shape []int) []int {
	s := m.take(len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// product is the product of sizes that is known to fit.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
