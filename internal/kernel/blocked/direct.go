package blocked

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// direct sums every output over all taps and channels in registers, a tile of
// pixels by a panel of output channels at a time, and stores it once.
//
// The output is cut into regions of which all pixels have the same taps inside
// the image, so that there is no border case: an image of 3x3 windows with
// padding has nine. Their pixels lie in tiles along rows or along columns,
// whichever is better filled.
type direct struct {
	t     directTable
	plain bool // the input is plain

	images, groups int
	m              int // output channels
	cg, mg         int // per group
	kernel         [2]int
	taps           int

	// Elements from one to the next.
	xImage, yImage        int
	xRow, xPixel, xPixels int // xPixels: a block or a plane
	yRow, yPixel, yBlock  int
	rowStep, colStep      int // from tap to tap in x

	steps   int // of a sum for each tap
	panels  int // of a group
	regions []region
	tiles   int // of an image
	work    int // what an image and a panel cost, in multiplications; only good for choices

	jobs parallel.FreeList[directJob]
}

func newDirect(t *Table, g *conv.Geometry, o Options) kernel {
	if len(g.In) > 2 || g.N*g.ImageIn() == 0 || g.N*g.ImageOut() == 0 || !blocksOf(g, o) {
		return nil
	}
	s := newSpace(g)
	p := &direct{
		t: t.direct, plain: o.PlainInput, images: g.N, groups: g.Groups, m: g.M, cg: g.C / g.Groups, mg: g.M / g.Groups,
		kernel: s.kernel, taps: s.kernel[0] * s.kernel[1],
	}
	p.layout(g, &s, Lanes)
	p.steps = roundUp(p.cg, channelUnit)
	if p.plain {
		p.steps = p.cg
	}
	p.panels = (p.mg + p.t.width - 1) / p.t.width
	p.cut(&s)
	return p
}

// blocksOf reports whether every group has blocks of its own.
func blocksOf(g *conv.Geometry, o Options) bool {
	return g.Groups == 1 || !o.PlainInput && g.C/g.Groups%Lanes == 0 && g.M/g.Groups%Lanes == 0
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// layout computes the distances in x and y, where a pixel of a block has so
// many elements. Images of one pixel that become one pixel are one image: a
// row of pixels.
func (p *direct) layout(g *conv.Geometry, s *space, pixel int) {
	in, out := s.in[0]*s.in[1], s.out[0]*s.out[1]
	p.xPixel, p.xPixels = pixel, in*pixel
	p.xImage = Blocks(g.C) * p.xPixels
	if p.plain {
		p.xPixel, p.xPixels = 1, in
		p.xImage = g.C * in
	}
	p.yPixel, p.yBlock = pixel, out*pixel
	p.yImage = Blocks(g.M) * p.yBlock
	if in == 1 && out == 1 && p.taps == 1 {
		s.in[1], s.out[1] = p.images, p.images
		p.xPixel, p.yPixel = p.xImage, p.yImage
		p.images = 1
	}
	p.xRow, p.yRow = s.in[1]*p.xPixel, s.out[1]*p.yPixel
	p.rowStep, p.colStep = s.dilations[0]*p.xRow, s.dilations[1]*p.xPixel
}

func (p *direct) format() string {
	if p.plain {
		return fmt.Sprintf("direct-plain-%d", p.t.width)
	}
	return fmt.Sprintf("direct-%d", p.t.width)
}

// panelWeights is the packed weights before the panel at output channel m of
// a group.
func (p *direct) panelWeights(m int) int { return m * p.taps * p.steps }

func (p *direct) packedWeights() int {
	return p.groups * p.panelWeights(Blocks(p.mg)*Lanes)
}

// step is the place of a tap and a channel in the sum.
func (p *direct) step(tap, c int) int {
	if p.plain {
		return (tap/p.kernel[1]*p.steps+c)*p.kernel[1] + tap%p.kernel[1]
	}
	return tap*p.steps + c
}

// scratch holds the bias, filled up to whole blocks.
func (p *direct) scratch(int) int {
	if p.m%Lanes == 0 {
		return 0
	}
	return Blocks(p.m) * Lanes
}

func (p *direct) run(team *parallel.Team, x, weights []float32, e *Epilogue, y, scratch []float32) {
	j := p.jobs.Take()
	j.direct, j.x, j.w, j.y, j.e = p, x, weights, y, *e
	if n := p.scratch(1); n > 0 && e.Bias != nil {
		clear(scratch[:n])
		copy(scratch, e.Bias[:p.m])
		j.e.Bias = scratch[:n]
	}
	if p.images*p.groups*p.panels*p.work < 2*p.t.grain {
		team = nil
	}
	j.share(team.Threads())
	team.Do(j.tasks(), j)
	p.jobs.Give(j)
}
