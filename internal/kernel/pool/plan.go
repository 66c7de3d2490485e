package pool

import (
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Number is the element types of maxima.
type Number interface {
	float32 | float64 | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64
}

// A Plan is what a pooling of one geometry needs to know. It may be used by
// several goroutines at a time.
//
// Slices are checked once: one that is too short is a caller's bug and panics.
type Plan[T Number] struct {
	t       *Table
	g       *Geometry
	in, out int // elements of a channel
	ow      int
	windows [][]Window // by axis and output
	rows    int        // output rows of a channel
	halves  bool       // two axes, kernel and stride 2, no padding
	middle  middle
	global  bool // the only window is the image

	jobs parallel.FreeList[job[T]]
	sums parallel.FreeList[[16]float64]
}

// NewPlan prepares a pooling. t nil is the table of this CPU.
func NewPlan[T Number](t *Table, g *Geometry) *Plan[T] {
	if t == nil {
		t = Best()
	}
	last := len(g.In) - 1
	p := &Plan[T]{t: t, g: g, in: product(g.In), out: product(g.Out), ow: g.Out[last], rows: product(g.Out[:last])}
	if g.N*g.C == 0 || p.out == 0 {
		return p // nothing to compute, and the sizes of nothing may be large
	}
	for axis := range g.In {
		p.windows = append(p.windows, g.Windows(axis))
	}
	p.halves = last == 1
	for axis := range g.In {
		p.halves = p.halves && g.Kernel[axis] == 2 && g.Strides[axis] == 2 && g.Dilations[axis] == 1 &&
			g.Pads[axis] == 0 && 2*g.Out[axis] <= g.In[axis]
	}
	p.middle = p.findMiddle()
	p.global = p.isGlobal()
	return p
}

// isGlobal tells whether the only window has all elements of the image, which
// are floats.
func (p *Plan[T]) isGlobal() bool {
	if half := T(1) / 2; half == 0 || p.in == 0 {
		return false
	}
	for axis, w := range p.windows {
		if len(w) != 1 || w[0].Taps != p.g.In[axis] || w[0].Area != w[0].Taps || w[0].Step != 1 {
			return false
		}
	}
	return true
}

// A walk goes through the input rows that the windows of one output row
// share.
type walk struct {
	axes  int
	sizes [maxAxes]int // of the input
	w     [maxAxes]Window
	tap   [maxAxes]int
	rows  int // input rows in all
	area  int // the same with those in the padding
}

// to makes ready for output row r.
func (p *Plan[T]) to(s *walk, r int) {
	s.axes, s.rows, s.area = len(p.g.In)-1, 1, 1
	for axis := s.axes - 1; axis >= 0; axis-- {
		n := p.g.Out[axis]
		s.sizes[axis], s.w[axis], s.tap[axis] = p.g.In[axis], p.windows[axis][r%n], 0
		s.rows *= s.w[axis].Taps
		s.area *= s.w[axis].Area
		r /= n
	}
}

// next returns the next row and goes on, after the last to the first again.
func (s *walk) next() int {
	row := 0
	for axis := range s.axes {
		row = row*s.sizes[axis] + s.w[axis].First + s.tap[axis]*s.w[axis].Step
	}
	for axis := s.axes - 1; axis >= 0; axis-- {
		if s.tap[axis]++; s.tap[axis] < s.w[axis].Taps {
			break
		}
		s.tap[axis] = 0
	}
	return row
}

// A job is one pooling on its way: a task whose tiles are some channels.
type job[T Number] struct {
	*Plan[T]
	kind        kind
	x, y        []T // the image and the windows, whichever direction
	indices     []int64
	columnMajor bool
	countPads   bool
	bad         badIndices
}

// A kind says what a job computes.
type kind int

const (
	maximum kind = iota
	maximumBackward
	average
	averageBackward
)

// tileElements is the inputs of a tile.
const tileElements = 1 << 14

func (p *Plan[T]) channelsPerTile() int {
	return max(tileElements/max(p.in, p.out, 1), 1)
}

// run shares out the channels. Small work stays on the caller.
func (j *job[T]) run(team *parallel.Team) {
	channels := j.g.N * j.g.C
	each := j.channelsPerTile()
	if channels*max(j.in, j.out) < tileElements {
		team = nil
	}
	team.Do((channels+each-1)/each, j)
}

// Tile computes some channels.
func (j *job[T]) Tile(i int) {
	each := j.channelsPerTile()
	first, end := i*each, min((i+1)*each, j.g.N*j.g.C)
	if j.global && j.kind == average {
		j.averageAll(j.x[first*j.in:], j.y[first:end])
		return
	}
	for c := first; c < end; c++ {
		x, y := j.x[c*j.in:][:j.in], j.y[c*j.out:][:j.out]
		if j.out == 0 { // no windows: there is nothing but zeros to hand back
			clear(j.backward(x))
			continue
		}
		switch j.kind {
		case maximum:
			j.maxChannel(c, x, y)
		case maximumBackward:
			j.maxChannelBackward(c, x, y)
		case average:
			j.averageChannel(x, y)
		case averageBackward:
			j.averageChannelBackward(x, y)
		}
	}
}

// backward returns x if the job computes it.
func (j *job[T]) backward(x []T) []T {
	if j.kind == maximumBackward || j.kind == averageBackward {
		return x
	}
	return nil
}

func (p *Plan[T]) checkLengths(x, y []T) {
	channels := p.g.N * p.g.C
	check(len(x) >= channels*p.in && len(y) >= channels*p.out)
}

func check(ok bool) {
	if !ok {
		panic("pool: slice too short")
	}
}
