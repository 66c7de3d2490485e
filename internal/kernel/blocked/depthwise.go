package blocked

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// A depthwiseTable convolves rows of one block, each channel by its own
// kernel. The sum of a pixel begins with the bias and goes over the taps
// inside the image, row by row; the residual, where there is one, is added at
// the end. Limits says how many of low and high bound the result.
type depthwiseTable struct {
	pixels    int                 // of a full stretch
	stretches [3][2]stretchKernel // kernels of 3, 5 and 7 columns, strides 1 and 2
	taps      tapsKernel
}

type (
	stretchKernel func(rows []line, stretches []stretch, x []float32, xRow int, w, bias, residual, y []float32, limits int, low, high float32)
	tapsKernel    func(rows []line, pieces []piece, x []float32, xRow, xTap, xPixel, yRow int, w []float32, wRow int, bias, residual, y []float32, limits int, low, high float32)
)

// A stretch is some pixels of an output row. Step s of its n pixels is the input
// pixel that tap s of the first one sees.
type stretch struct {
	x     int // in bytes, from the row to step 0, which may lie before it
	first int // the first step inside the image
	end   int // one more than the last
	n     int
}

// A depthwise kernel has one group per channel.
type depthwise struct {
	g              *conv.Geometry
	in, out        [2]int
	kernel         [2]int
	step, dilation [2]int

	rows      []line
	stretches []stretch // nil: any kernel
	kind      stretchKernel
	pieces    []piece
	taps      tapsKernel
	share     share
	band      int // rows between which other activations are done
	jobs      parallel.FreeList[depthwiseJob]
}

func newDepthwise(t *Table, g *conv.Geometry, o Options) kernel {
	if g.Groups != g.C || g.M != g.C || o.PlainInput || g.C == 1 {
		return nil
	}
	d := &depthwise{g: g, in: sides(g.In), out: sides(g.Out), kernel: sides(g.Kernel), step: sides(g.Strides), dilation: sides(g.Dilations)}
	if g.N*g.C*g.Pixels() == 0 {
		return d
	}
	rows, columns := []window{{taps: 1}}, convWindows(g, len(g.In)-1)
	if len(g.In) == 2 {
		rows = convWindows(g, 0)
	}
	d.rows = lines(rows, d.in[1], d.kernel[1])
	d.kind = t.depthwise.fast(g)
	d.taps = t.depthwise.taps
	if d.kind != nil {
		d.stretches = stretches(g, t.depthwise.pixels)
	} else {
		d.pieces = pieces(columns, d.step[1], false)
	}
	d.share = newShare(g.N*Blocks(g.C), d.out[0], d.out[1]*g.Taps()*Lanes)
	d.band = max(activateElements/(d.out[1]*Lanes), 1)
	return d
}

// activateElements is the results that still lie in the L1 cache when an
// activation comes to them.
const activateElements = 1 << 12

// fast returns the kernel that has the taps of a row in registers; nil: none.
func (t *depthwiseTable) fast(g *conv.Geometry) stretchKernel {
	last := len(g.In) - 1
	k, s := g.Kernel[last], g.Strides[last]
	if k != 3 && k != 5 && k != 7 || s > 2 || g.Dilations[last] != 1 || g.Pads[last] >= k || g.Pads[2*last+1] >= k {
		return nil
	}
	return t.stretches[k/2-1][s-1]
}

// stretches cuts an output row.
func stretches(g *conv.Geometry, pixels int) []stretch {
	last := len(g.In) - 1
	var all []stretch
	for o := 0; o < g.Out[last]; o += pixels {
		n := min(pixels, g.Out[last]-o)
		x := o*g.Strides[last] - g.Pads[last]
		all = append(all, stretch{
			x: x * pixelBytes, first: max(-x, 0), n: n,
			end: min((n-1)*g.Strides[last]+g.Kernel[last], g.In[last]-x),
		})
	}
	return all
}

// convWindows returns the windows along one axis.
func convWindows(g *conv.Geometry, axis int) []window {
	all := make([]window, g.Out[axis])
	for o := range all {
		d, from := g.Dilations[axis], o*g.Strides[axis]-g.Pads[axis]
		inside := func(distance int) int { return min(max((distance+d-1)/d, 0), g.Kernel[axis]) }
		if lo, hi := inside(-from), inside(g.In[axis]-from); hi > lo {
			all[o] = window{skip: lo, first: from + lo*d, taps: hi - lo}
		}
	}
	return all
}

func (d *depthwise) format() string { return "depthwise" }

func (d *depthwise) packedWeights() int { return Blocks(d.g.C) * d.g.Taps() * Lanes }

func (d *depthwise) packUnit() int { return d.g.M }

// packWeights writes [C/16, kernel..., 16].
func (d *depthwise) packWeights(_ *packing, dst, w []float32, _, _ int) {
	taps := d.g.Taps()
	clear(dst[:d.packedWeights()])
	for c := range d.g.C {
		for tap, v := range w[c*taps:][:taps] {
			dst[(c/Lanes*taps+tap)*Lanes+c%Lanes] = v
		}
	}
}

func (d *depthwise) scratch(int) int { return 0 }

func (d *depthwise) run(team *parallel.Team, x, weights []float32, e *Epilogue, y, _ []float32) {
	if d.rows == nil {
		return
	}
	check(len(x) >= Len(d.g.N, d.g.C, d.in[0]*d.in[1]) && len(y) >= Len(d.g.N, d.g.C, d.g.Pixels()))
	check((e.Bias == nil || len(e.Bias) >= d.g.C) && (e.Residual == nil || len(e.Residual) >= Len(d.g.N, d.g.C, d.g.Pixels())))
	j := d.jobs.Take()
	*j = depthwiseJob{depthwise: d, x: x, weights: weights, y: y, e: *e}
	j.limits, j.low, j.high = e.limits()
	if e.Bias != nil {
		copy(j.last[:], e.Bias[(Blocks(d.g.C)-1)*Lanes:d.g.C])
	}
	if d.share.small {
		team = nil
	}
	team.Do(d.share.tiles(), j)
	d.jobs.Give(j)
}

// limits returns the activation as bounds: how many, and which.
func (e *Epilogue) limits() (n int, low, high float32) {
	switch e.Act {
	case Relu:
		return 1, 0, 0
	case Clip:
		return 2, e.Alpha, e.Beta
	}
	return 0, 0, 0
}

type depthwiseJob struct {
	*depthwise
	x, weights, y []float32
	e             Epilogue
	limits        int
	low, high     float32
	last          [Lanes]float32 // the bias of the last block
}

// bias returns that of a block.
func (j *depthwiseJob) bias(block int) []float32 {
	switch {
	case j.e.Bias == nil:
		return noBias[:]
	case block == Blocks(j.g.C)-1:
		return j.last[:]
	}
	return j.e.Bias[block*Lanes:][:Lanes]
}

var noBias [Lanes]float32

// Tile computes some planes or some rows of one.
func (j *depthwiseJob) Tile(i int) {
	j.share.do(i, func(plane, lo, hi int) {
		if j.limits > 0 || j.e.Act == Identity {
			j.compute(plane, lo, hi)
			return
		}
		for ; lo < hi; lo += j.band {
			j.e.activate(j.compute(plane, lo, min(lo+j.band, hi)))
		}
	})
}

// compute computes some rows of a plane and returns them.
func (j *depthwiseJob) compute(plane, lo, hi int) []float32 {
	width := j.out[1] * Lanes
	pixels := j.in[0] * j.in[1] * Lanes
	at, n := (plane*j.out[0]+lo)*width, (hi-lo)*width
	block := plane % Blocks(j.g.C)
	x, y := j.x[plane*pixels:][:pixels], j.y[at:][:n]
	w := j.weights[block*j.g.Taps()*Lanes:][:j.g.Taps()*Lanes]
	var residual []float32
	if j.e.Residual != nil {
		residual = j.e.Residual[at:][:n]
	}
	bias := j.bias(block)
	xRow := j.dilation[0] * j.in[1] * pixelBytes
	if j.stretches != nil {
		j.kind(j.rows[lo:hi], j.stretches, x, xRow, w, bias, residual, y, j.limits, j.low, j.high)
		return y
	}
	j.taps(j.rows[lo:hi], j.pieces, x, xRow, j.dilation[1]*pixelBytes, j.step[1]*pixelBytes, j.out[1]*pixelBytes,
		w, j.kernel[1]*pixelBytes, bias, residual, y, j.limits, j.low, j.high)
	return y
}
