package blocked

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// A poolTable reduces the windows of rows of one block, and does what
// concerns all pixels of a block.
type poolTable struct {
	// max and mean go over the pieces of some output rows. The mean is a chain
	// of additions, row by row, divided by the product of both areas.
	max, mean windowsKernel
	// sum adds n pixels in four chains, pixel i to chain i%4, and these in
	// pairs.
	sum func(n int, x, y []float32)
	// mul and add give y[i] = x[i] op s for n pixels.
	mul, add func(n int, y, x, s []float32)
	// move copies n blocks at fixed distances, in elements.
	move func(n int, y, x []float32, yStep, xStep int)
}

type windowsKernel func(rows []line, pieces []piece, x []float32, xRow, xTap, xPixel, yRow int, y []float32)

// A Pool is what a pooling of blocked images of one geometry needs to know.
// It may be used by several goroutines at a time.
//
// NaN in a window gives NaN. The maximum of a window without elements is
// minus infinity, its mean 0.
type Pool struct {
	t       *poolTable
	g       *pool.Geometry
	in, out [2]int
	windows windowsKernel // nil: the mean of all pixels
	rows    []line
	pieces  []piece
	xRow    int // bytes from a row of a window to the next
	xTap    int
	xPixel  int
	empty   bool // some windows have no elements
	share   share

	jobs  parallel.FreeList[poolJob]
	parts parallel.FreeList[[Lanes]float32]
}

// PoolSupports reports whether blocked images with so many spatial axes can
// be pooled.
func PoolSupports(axes int) bool { return axes == 1 || axes == 2 }

// NewMaxPool prepares a pooling by the maximum, of one or two spatial axes. t
// nil is the table of this CPU.
func NewMaxPool(t *Table, g *pool.Geometry) *Pool {
	p := newPool(t, g)
	return p.over(p.t.max, func(w pool.Window) int { return w.Taps })
}

// NewAveragePool prepares a pooling by the mean, of one or two spatial axes;
// with countPads elements of the padding count.
func NewAveragePool(t *Table, g *pool.Geometry, countPads bool) *Pool {
	p := newPool(t, g)
	if p.global() {
		p.share = newShare(g.N*Blocks(g.C), 1, p.in[0]*p.in[1]*Lanes)
		return p
	}
	return p.over(p.t.mean, func(w pool.Window) int {
		if countPads {
			return w.Area
		}
		return w.Taps
	})
}

func newPool(t *Table, g *pool.Geometry) *Pool {
	if t == nil {
		t = Best()
	}
	return &Pool{t: &t.pool, g: g, in: sides(g.In), out: sides(g.Out)}
}

// global tells whether the only window is the whole image.
func (p *Pool) global() bool {
	return p.out == [2]int{1, 1} && slices.Equal(p.g.Kernel, p.g.In) && !slices.ContainsFunc(p.g.Pads, func(pad int) bool { return pad != 0 })
}

// over prepares the windows.
func (p *Pool) over(k windowsKernel, area func(pool.Window) int) *Pool {
	p.windows = k
	if p.nothing() {
		return p
	}
	last := len(p.g.In) - 1
	rows := []window{{taps: 1, area: 1}}
	if last == 1 {
		rows = p.along(0, area)
		p.xRow = p.g.Dilations[0] * p.in[1] * pixelBytes
	}
	columns := p.along(last, area)
	p.rows, p.pieces = lines(rows, p.in[1], 0), pieces(columns, p.g.Strides[last], true)
	p.xTap, p.xPixel = p.g.Dilations[last]*pixelBytes, p.g.Strides[last]*pixelBytes
	p.share = newShare(p.g.N*Blocks(p.g.C), p.out[0], p.out[1]*Lanes*min(product(p.g.Kernel), p.in[0]*p.in[1]))
	return p
}

// nothing tells whether there is nothing to compute; the sizes of nothing may
// be large.
func (p *Pool) nothing() bool { return p.g.N*p.g.C*p.out[0]*p.out[1] == 0 }

// along returns the windows along an axis, and notes empty ones.
func (p *Pool) along(axis int, area func(pool.Window) int) []window {
	all := make([]window, p.g.Out[axis])
	for i, w := range p.g.Windows(axis) {
		all[i] = window{first: w.First, taps: w.Taps, area: area(w)}
		p.empty = p.empty || w.Taps == 0
	}
	return all
}

func product(sizes []int) int {
	n := 1
	for _, s := range sizes {
		n *= s
	}
	return n
}

// Run computes y, blocked [N, C, Out...], from x, blocked [N, C, In...].
func (p *Pool) Run(team *parallel.Team, x, y []float32) {
	if p.nothing() {
		return
	}
	check(len(x) >= Len(p.g.N, p.g.C, p.in[0]*p.in[1]) && len(y) >= Len(p.g.N, p.g.C, p.out[0]*p.out[1]))
	j := p.jobs.Take()
	*j = poolJob{Pool: p, x: x, y: y}
	if p.share.small {
		team = nil
	}
	team.Do(p.share.tiles(), j)
	p.jobs.Give(j)
}

type poolJob struct {
	*Pool
	x, y []float32
}

// Tile computes some planes or some rows of one.
func (j *poolJob) Tile(i int) {
	j.share.do(i, func(plane, lo, hi int) {
		pixels, width := j.in[0]*j.in[1]*Lanes, j.out[1]*Lanes
		x, y := j.x[plane*pixels:][:pixels], j.y[(plane*j.out[0]+lo)*width:][:(hi-lo)*width]
		if j.windows == nil {
			j.average(x, y)
			return
		}
		j.windows(j.rows[lo:hi], j.pieces, x, j.xRow, j.xTap, j.xPixel, j.out[1]*pixelBytes, y)
		if j.empty && plane%Blocks(j.g.C) == Blocks(j.g.C)-1 {
			clearLanes(y, j.g.C%Lanes)
		}
	})
}

// clearLanes makes the lanes beyond some channels finite; 0 means all 16 are
// channels.
func clearLanes(y []float32, channels int) {
	if channels == 0 {
		return
	}
	for ; len(y) >= Lanes; y = y[Lanes:] {
		clear(y[channels:Lanes])
	}
}

// sumPixels is the pixels of a plane that are summed in chains; the sums of
// such parts are added one after the other.
const sumPixels = 256

// average writes the mean of all pixels of a plane to y.
func (j *poolJob) average(x, y []float32) {
	pixels := len(x) / Lanes
	part := j.parts.Take()
	j.t.sum(min(sumPixels, pixels), x, y)
	for first := sumPixels; first < pixels; first += sumPixels {
		j.t.sum(min(sumPixels, pixels-first), x[first*Lanes:], part[:])
		for c, v := range part {
			y[c] += v
		}
	}
	j.parts.Give(part)
	n := float32(max(pixels, 1))
	for c := range y[:Lanes] {
		y[c] /= n
	}
}

// MulPixels computes y = x*s: x and y are blocked [n, channels, pixels], s
// blocked [n, channels, 1], or one image of it that serves all. y may be x.
func MulPixels(team *parallel.Team, y, x, s []float32, n, channels, pixels int) {
	eachPixel(team, Best().pool.mul, y, x, s, n, channels, pixels)
}

// AddPixels computes y = x+s as MulPixels does its product.
func AddPixels(team *parallel.Team, y, x, s []float32, n, channels, pixels int) {
	eachPixel(team, Best().pool.add, y, x, s, n, channels, pixels)
}

func eachPixel(team *parallel.Team, op func(n int, y, x, s []float32), y, x, s []float32, n, channels, pixels int) {
	size := Len(n, channels, pixels)
	check(len(x) >= size && len(y) >= size && (len(s) >= Len(n, channels, 1) || len(s) == Len(1, channels, 1)))
	if size == 0 {
		return
	}
	j := pixelJobs.Take()
	*j = pixelJob{op: op, y: y[:size], x: x[:size], s: s, repeat: n, pixels: pixels, share: newShare(n*Blocks(channels), pixels, pixelCost)}
	if len(s) < Len(n, channels, 1) {
		j.repeat = 1
	}
	j.repeat *= Blocks(channels)
	if j.share.small {
		team = nil
	}
	team.Do(j.share.tiles(), j)
	pixelJobs.Give(j)
}

// pixelCost is the cost of reading and writing a pixel in multiplications.
const pixelCost = 6 * Lanes

var pixelJobs parallel.FreeList[pixelJob]

type pixelJob struct {
	op      func(n int, y, x, s []float32)
	y, x, s []float32
	repeat  int // blocks of s
	pixels  int
	share   share
}

// Tile computes some planes or some pixels of one.
func (j *pixelJob) Tile(i int) {
	j.share.do(i, func(plane, lo, hi int) {
		at := (plane*j.pixels + lo) * Lanes
		j.op(hi-lo, j.y[at:], j.x[at:], j.s[plane%j.repeat*Lanes:][:Lanes])
	})
}
