package conv

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// A togetherPlan says how the weight gradient of many small images is computed:
// all images at once, as products over rows of outputs, an image's pixel beside
// the same pixel of the next image. What reads padding is left out. Every
// element is one chain over output rows, output columns and images.
type togetherPlan struct {
	use  bool
	n    int   // images
	step []int // by output column and image: where it reads, relative to the first
	rows []togetherRow
}

// A togetherRow is the part of an output row that reads the image through a
// tap: outputs from out on read inputs from in on.
type togetherRow struct{ tap, out, in, n int }

// What is computed together, by sizes alone so that it is on every tier.
const (
	togetherPixels   = 64      // outputs of an image
	togetherInputs   = 256     // inputs of a channel
	togetherChain    = 1 << 14 // steps of a sum
	togetherChannels = 16
)

func (p *Plan[T]) planTogether() togetherPlan {
	g := p.g
	if g.N < 4 || g.Groups > 1 || len(g.In) > 2 || min(g.C, g.M) < togetherChannels ||
		p.pixels > togetherPixels || product(g.In) > togetherInputs || g.N*p.pixels > togetherChain {
		return togetherPlan{}
	}
	w := togetherPlan{use: true, n: g.N, step: make([]int, 0, p.ow*g.N)}
	last := len(g.In) - 1
	for x := range p.ow {
		for n := range g.N {
			w.step = append(w.step, (x*g.Strides[last]*g.N+n)*p.t.Cols)
		}
	}
	for tap := range p.taps {
		for row := range p.rows {
			w.addRow(g, tap, row, p.ow)
		}
	}
	return w
}

// addRow appends what an output row reads through a tap, if anything.
func (w *togetherPlan) addRow(g *Geometry, tap, row, ow int) {
	last := len(g.In) - 1
	first := 0 // input row
	if last > 0 {
		first = row*g.Strides[0] + tap/g.Kernel[last]*g.Dilations[0] - g.Pads[0]
		if first < 0 || first >= g.In[0] {
			return
		}
	}
	at := tap%g.Kernel[last]*g.Dilations[last] - g.Pads[last]
	from, to := 0, ow
	for ; from < to && at+from*g.Strides[last] < 0; from++ {
	}
	for ; to > from && at+(to-1)*g.Strides[last] >= g.In[last]; to-- {
	}
	if from < to {
		w.rows = append(w.rows, togetherRow{tap: tap, out: row*ow + from, in: first*g.In[last] + at + from*g.Strides[last], n: to - from})
	}
}

// together is a weight gradient of all images on its way: a task whose tiles
// are panels to lay out, first of the input and then of dy, or products of a
// panel of dy and one of the input.
type together[T gemm.Float] struct {
	*Plan[T]
	x, dy, dw []T
	wide      []T // by panel of input channels, pixel and image
	panels    []T // by panel of output channels, pixel and image
	sums      []T // by worker, tap, output channel and input channel
	multiply  bool
}

func (p *Plan[T]) inPanels() int  { return (p.g.C + p.t.Cols - 1) / p.t.Cols }
func (p *Plan[T]) outPanels() int { return (p.g.M + p.t.Rows - 1) / p.t.Rows }

// The elements of one panel and of the sums of one worker.
func (p *Plan[T]) widePanel() int { return p.g.N * product(p.g.In) * p.t.Cols }
func (p *Plan[T]) dyPanel() int   { return p.g.N * p.pixels * p.t.Rows }
func (p *Plan[T]) tileSums() int  { return roundUp(p.taps*p.t.Rows*p.t.Cols, 16) }

func (p *Plan[T]) togetherScratch(threads int) int {
	return p.inPanels()*p.widePanel() + roundUp(p.outPanels()*p.dyPanel(), 16) + max(threads, 1)*p.tileSums()
}

func (p *Plan[T]) weightsTogether(team *parallel.Team, x, dy, dw, scratch []T) {
	j := p.togethers.Take()
	*j = together[T]{Plan: p, x: x, dy: dy, dw: dw}
	j.wide = take(&scratch, p.inPanels()*p.widePanel())
	j.panels = take(&scratch, roundUp(p.outPanels()*p.dyPanel(), 16))
	j.sums = scratch
	team.DoWorkers(p.inPanels()+p.outPanels(), j)
	j.multiply = true
	team.DoWorkers(p.inPanels()*p.outPanels(), j)
	p.togethers.Give(j)
}

// Tile lays out a panel or computes a tile of the gradient.
func (j *together[T]) Tile(worker, i int) {
	in := j.inPanels()
	switch {
	case j.multiply:
		j.tile(j.sums[worker*j.tileSums():][:j.tileSums()], i/in, i%in)
	case i < in:
		j.lay(j.wide[i*j.widePanel():][:j.widePanel()], j.x, j.g.C, product(j.g.In), i*j.t.Cols, j.t.Cols)
	default:
		i -= in
		j.lay(j.panels[i*j.dyPanel():][:j.dyPanel()], j.dy, j.g.M, j.pixels, i*j.t.Rows, j.t.Rows)
	}
}

// lay writes the channels from c on, width of them, of all images side by side,
// for each pixel and image.
func (p *Plan[T]) lay(dst, x []T, channels, pixels, c, width int) {
	n := min(width, channels-c)
	if n < width {
		clear(dst)
	}
	for image := range p.g.N {
		src := x[(image*channels+c)*pixels:]
		if pixels == 1 {
			copy(dst[image*width:], src[:n])
			continue
		}
		p.t.Transpose(dst[image*width:], p.g.N*width, src, pixels, n, pixels)
	}
}

// tile computes the gradient of a panel of output and one of input channels.
func (j *together[T]) tile(sums []T, out, in int) {
	t, n := j.t, j.g.N
	m, c := out*t.Rows, in*t.Cols
	rows, cols := min(t.Rows, j.g.M-m), min(t.Cols, j.g.C-c)
	clear(sums)
	a, b := j.panels[out*j.dyPanel():][:j.dyPanel()], j.wide[in*j.widePanel():][:j.widePanel()]
	for _, r := range j.together.rows {
		t.TileB(rows, r.n*n, a[r.out*n*t.Rows:], t.Rows, b[r.in*n*t.Cols:], j.together.step[:r.n*n],
			sums[r.tap*t.Rows*t.Cols:], t.Cols, cols, gemm.FromC, nil, false)
	}
	for i := range rows {
		dw := j.dw[((m+i)*j.g.C+c)*j.taps:]
		if j.taps == 1 {
			copy(dw, sums[i*t.Cols:][:cols])
			continue
		}
		t.Transpose(dw, j.taps, sums[i*t.Cols:], t.Rows*t.Cols, j.taps, cols)
	}
}
