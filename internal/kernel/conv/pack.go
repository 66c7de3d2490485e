package conv

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// packing is the packing of weights on its way: a task whose tiles are panels.
type packing[T gemm.Float] struct {
	*Plan[T]
	dst, w  []T
	turned  bool
	from    int // the taps of the first axis that are packed
	to      int
	lone    bool // of them one tap of the last axis
	width   int
	buffers []T // by worker: some channels, their taps in the order of the weights
}

const (
	packSteps = 144     // of a buffer, if one channel has not more
	packWorth = 1 << 15 // weights that a second thread pays for
)

// pack packs the weights of this convolution, or, turned, those of the one
// whose data gradient it is: input and output channels exchanged, taps in
// reverse. Steps that no output of this plan needs are packed if all is set.
// Scratch has packBuffer elements for each thread.
func (p *Plan[T]) pack(team *parallel.Team, dst, w []T, turned, all bool, scratch []T) {
	if p.g.Weights() < packWorth {
		team = nil
	}
	j := p.packings.Take()
	*j = packing[T]{Plan: p, dst: dst, w: w, turned: turned, to: p.outer.n, width: p.packWidth(), buffers: scratch}
	if !all {
		j.from, j.to = p.liveTaps()
		j.lone = p.crowd.use && p.crowd.taps == 1 && p.inner > 1 && j.to-j.from == 1
	}
	team.DoWorkers(p.g.Groups*j.panels(), j)
	p.packings.Give(j)
}

// packWidth is the lanes of a panel.
func (p *Plan[T]) packWidth() int {
	if p.across {
		return p.t.Rows
	}
	return p.t.Cols
}

// packChannels is how many channels a buffer holds.
func (p *Plan[T]) packChannels() int { return max(packSteps/p.taps, 1) }

func (p *Plan[T]) packBuffer() int { return roundUp(p.packChannels()*p.taps*p.packWidth(), 16) }

// liveTaps are the taps of the first axis that read the image for some row.
func (p *Plan[T]) liveTaps() (from, to int) {
	from = p.outer.n
	for row := range p.rows {
		if a, b := p.outer.inside(row); a < b {
			from, to = min(from, a), max(to, b)
		}
	}
	return min(from, to), to
}

func (j *packing[T]) panels() int { return (j.mg + j.width - 1) / j.width }

// Tile packs the steps of the sums of some lanes side by side.
func (j *packing[T]) Tile(worker, i int) {
	group, m := i/j.panels(), i%j.panels()*j.width
	lanes := min(j.width, j.mg-m)
	dst := j.dst[group*(j.PackedWeights()/j.g.Groups)+m*j.k:]
	w := j.w[group*j.mg*j.k:]
	if j.lone {
		j.packLone(dst, w, m, lanes)
		return
	}
	buffer := j.buffers[worker*j.packBuffer():][:j.packBuffer()]
	if lanes < j.width {
		clear(buffer)
	}
	for c := 0; c < j.cg; c += j.packChannels() {
		n := min(j.packChannels(), j.cg-c)
		j.transpose(buffer, w, m, lanes, c, n)
		for i := range n {
			j.place(dst, buffer[i*j.taps*j.width:], c+i)
		}
	}
}

// packLone packs the only tap that reads an image.
func (j *packing[T]) packLone(dst, w []T, m, lanes int) {
	tap := j.from*j.inner + j.crowd.first
	lane, channel := j.k, j.taps
	if j.turned {
		tap, lane, channel = j.taps-1-tap, j.taps, j.mg*j.taps
	}
	dst = dst[(j.from*j.cg*j.inner+j.crowd.first)*j.width:]
	for c := range j.cg {
		step := dst[c*j.inner*j.width:][:j.width]
		from := w[m*lane+c*channel+tap:]
		for i := range lanes {
			step[i] = from[i*lane]
		}
		clear(step[lanes:])
	}
}

// transpose fills a buffer with the weights of n channels from c on.
func (j *packing[T]) transpose(buffer, w []T, m, lanes, c, n int) {
	if !j.turned {
		j.t.Transpose(buffer, j.width, w[m*j.k+c*j.taps:], j.k, lanes, n*j.taps)
		return
	}
	for i := range n {
		from := w[((c+i)*j.mg+m)*j.taps:]
		if j.taps == 1 {
			copy(buffer[i*j.width:], from[:lanes])
			continue
		}
		j.t.Transpose(buffer[i*j.taps*j.width:], j.width, from, j.taps, lanes, j.taps)
	}
}

// place puts the taps of channel c, which stand in src, among the steps.
func (j *packing[T]) place(dst, src []T, c int) {
	run := j.inner * j.width
	for outer := j.from; outer < j.to; outer++ {
		to := dst[(outer*j.cg+c)*run:][:run]
		if !j.turned {
			copy(to, src[outer*run:])
			continue
		}
		for i := range j.inner {
			copy(to[i*j.width:][:j.width], src[(j.taps-1-outer*j.inner-i)*j.width:])
		}
	}
}
