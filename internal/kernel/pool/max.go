package pool

import (
	"fmt"
	"math"
	"sync/atomic"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Max computes y, [N, C, Out...], the greatest element of each window of x,
// [N, C, In...], and where it stands: indices, nil or as long as y, holds the
// place in x as if x were flat, counted in column-major order within a channel
// if columnMajor is set (the storage_order of ONNX MaxPool). A window without
// any element gives the least value of the type and index -1.
func (p *Plan[T]) Max(team *parallel.Team, x, y []T, indices []int64, columnMajor bool) {
	p.checkLengths(x, y)
	check(indices == nil || len(indices) >= p.g.N*p.g.C*p.out)
	j := p.jobs.Take()
	*j = job[T]{Plan: p, kind: maximum, x: x, y: y, indices: indices, columnMajor: columnMajor}
	j.run(team)
	p.jobs.Give(j)
}

// MaxBackward computes dx, [N, C, In...], from dy, [N, C, Out...] and the
// row-major indices of Max: each dy is added at its index. An index outside
// of its channel is an error and -1 is passed over; dx is undefined then.
func (p *Plan[T]) MaxBackward(team *parallel.Team, dy []T, indices []int64, dx []T) error {
	p.checkLengths(dx, dy)
	check(len(indices) >= p.g.N*p.g.C*p.out)
	j := p.jobs.Take()
	*j = job[T]{Plan: p, kind: maximumBackward, x: dx, y: dy, indices: indices}
	j.run(team)
	channel := j.bad.channel.Load()
	p.jobs.Give(j)
	if channel != 0 {
		return fmt.Errorf("an index of channel %d points outside of it", channel-1)
	}
	return nil
}

// badIndices holds one more than the number of a channel with a bad index.
type badIndices struct{ channel atomic.Uintptr }

func (j *job[T]) maxChannelBackward(c int, dx, dy []T) {
	if dx, ok := any(dx).([]float32); ok && j.halves && j.t.HalvesGrad != nil && j.halvesBackward(c, dx, any(dy).([]float32)) {
		return
	}
	clear(dx)
	base := int64(c) * int64(j.in)
	for i, index := range j.indices[c*j.out:][:j.out] {
		at := index - base
		if uint64(at) < uint64(len(dx)) {
			dx[at] += dy[i]
		} else if index != -1 {
			j.bad.channel.Store(uintptr(c) + 1)
			return
		}
	}
}

func (j *job[T]) maxChannel(c int, x, y []T) {
	var indices []int64
	if j.indices != nil {
		indices = j.indices[c*j.out:][:j.out]
	}
	base := int64(c) * int64(j.in)
	if x32, ok := any(x).([]float32); ok && j.halves && !j.columnMajor {
		maxHalves(j.g.In[1], j.g.Out[0], j.ow, x32, any(y).([]float32), indices, int(base), j.t)
		return
	}
	j.maxWindows(x, y, indices)
	for i, at := range indices {
		if at >= 0 {
			indices[i] = base + j.place(at)
		}
	}
}

// place turns a row-major place in a channel into the order asked for.
func (j *job[T]) place(at int64) int64 {
	if !j.columnMajor {
		return at
	}
	place, step := int64(0), int64(j.in)
	for axis := len(j.g.In) - 1; axis >= 0; axis-- {
		size := int64(j.g.In[axis])
		step /= size
		place += at % size * step
		at /= size
	}
	return place
}

// halvesBackward is maxChannelBackward for windows of 2x2 beside each other. It
// returns false, and leaves dx undefined, if an index is not one of its window.
func (j *job[T]) halvesBackward(c int, dx, dy []float32) bool {
	width, columns, rows := j.g.In[1], j.ow, j.g.Out[0]
	if 2*columns < width || 2*rows < j.g.In[0] {
		clear(dx)
	}
	for r := range rows {
		at := 2 * r * width
		upper, lower := dx[at:][:2*columns], dx[at+width:][:2*columns]
		from := c*j.out + r*columns
		if !j.t.HalvesGrad(upper, lower, dy[r*columns:][:columns], j.indices[from:][:columns], c*j.in+at, width) {
			return false
		}
	}
	return true
}

// maxWindows goes through the windows of a channel.
func (j *job[T]) maxWindows(x, y []T, indices []int64) {
	m := j.middle
	var rows walk
	for r := range j.rows {
		j.to(&rows, r)
		lo, hi := m.lo, m.hi
		if lo < hi && rows.rows > 0 {
			j.maxMiddle(&rows, r, x, y, indices)
		} else {
			lo, hi = 0, 0
		}
		j.maxRow(&rows, r, 0, lo, x, y, indices)
		j.maxRow(&rows, r, hi, j.ow, x, y, indices)
	}
}

// maxRow goes through some windows of an output row.
func (j *job[T]) maxRow(rows *walk, r, lo, hi int, x, y []T, indices []int64) {
	columns, width := j.windows[len(j.windows)-1], j.g.In[len(j.windows)-1]
	for o := lo; o < hi; o++ {
		w := columns[o]
		best, at := least[T](), -1
		for range rows.rows {
			for t, i := 0, rows.next()*width+w.First; t < w.Taps; t, i = t+1, i+w.Step {
				if v := x[i]; v > best || at < 0 || v != v && best == best {
					best, at = v, i
				}
			}
		}
		y[r*j.ow+o] = best
		if indices != nil {
			indices[r*j.ow+o] = int64(at)
		}
	}
}

// maxMiddle reduces the windows in the middle of an output row.
func (j *job[T]) maxMiddle(rows *walk, r int, x, y []T, indices []int64) {
	m := j.middle
	at, step := j.first(rows)
	from, to := any(x[at:]).([]float32), any(y[r*j.ow+m.lo:]).([]float32)
	if indices == nil {
		j.t.MaxRow[m.stride-1](m.hi-m.lo, rows.rows, step, m.taps, m.tapStep, from, to)
		return
	}
	j.t.MaxRowAt[m.stride-1](m.hi-m.lo, rows.rows, step, m.taps, m.tapStep, from, to, indices[r*j.ow+m.lo:], at)
}

// maxHalves is maxWindows for float32 in windows of 2x2 beside each other; the
// indices begin at first.
func maxHalves(width, rows, columns int, x, y []float32, indices []int64, first int, t *Table) {
	for r := range rows {
		both := x[2*r*width:][:width+2*columns]
		out := y[r*columns:][:columns]
		var places []int64
		if indices != nil {
			places = indices[r*columns:][:columns]
		}
		t.MaxHalves(both, both[width:], out, places, first+2*r*width, width)
	}
}

// maxHalvesRow has no branches that depend on the data: the values become
// integers of the same order, and their place in the window decides between
// equals.
func maxHalvesRow(upper, lower, y []float32, indices []int64, first, width int) {
	for i := range y {
		up, low := (*[2]float32)(upper[2*i:]), (*[2]float32)(lower[2*i:])
		best := greater(
			greater(order(up[0])<<2|3, order(up[1])<<2|2),
			greater(order(low[0])<<2|1, order(low[1])<<2))
		tap := int(3 - best&3)
		at := 2*i + tap&1 + width*(tap>>1)
		y[i] = upper[at]
		if indices != nil {
			indices[i] = int64(first + at)
		}
	}
}

// greater returns the greater of two integers of less than 63 bits. The
// compiler makes a branch of max.
func greater(a, b int64) int64 {
	d := a - b
	return a - d&(d>>63)
}

// order returns an integer that is greater for greater v: the same for both
// zeros, and for every NaN one above that of infinity.
func order(v float32) int64 {
	const infinity, greatest = 0x7f800000, 0x7fffffff
	b := int32(math.Float32bits(v))
	size := b & greatest
	nan := (infinity - size) >> 31
	negative := b >> 31 &^ nan
	size |= nan & greatest
	return int64((size ^ negative) - negative)
}

// least returns the least value of a type, minus infinity for floats.
func least[T Number]() T {
	var v any = T(0)
	switch v.(type) {
	case float32, float64:
		return T(math.Inf(-1))
	}
	var zero T
	if zero-1 > 0 {
		return 0
	}
	low := zero - 1
	for low*2 < low {
		low *= 2
	}
	return low
}
