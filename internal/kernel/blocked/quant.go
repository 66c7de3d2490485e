package blocked

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// A Quantized is a convolution of unsigned bytes by signed bytes of one
// geometry: the exact sum of (x - XZero)·w and the bias, times a scale for each
// output channel, rounded to even, plus YZero, cut to a byte. Images are
// blocked: a pixel of a block is 16 bytes. It may be used by several
// goroutines at a time.
//
// It cuts and walks the image as the direct convolution of numbers does; a
// number there is four channels here.
type Quantized struct {
	direct
	q    quantTable
	few  bool // no more than four channels: their block has one step
	jobs parallel.FreeList[quantJob]
}

// NewQuantized prepares a convolution, in one group or in groups of whole
// blocks, with one or two image axes; nil for others. t nil is the table of
// this CPU.
func NewQuantized(t *Table, g *conv.Geometry) *Quantized {
	if t == nil {
		t = Best()
	}
	if len(g.In) > 2 || g.N*g.ImageIn() == 0 || g.N*g.ImageOut() == 0 || !blocksOf(g, Options{}) {
		return nil
	}
	s := newSpace(g)
	p := &Quantized{q: t.quant}
	p.direct = direct{
		t: p.q.directTable, images: g.N, groups: g.Groups, m: g.M, cg: g.C / g.Groups, mg: g.M / g.Groups,
		kernel: s.kernel, taps: s.kernel[0] * s.kernel[1],
	}
	p.layout(g, &s, words)
	p.steps = roundUp(p.cg, Lanes) / quad
	if p.few = p.cg <= quad; p.few {
		p.steps = 1
	}
	p.panels = (p.mg + p.t.width - 1) / p.t.width
	p.cut(&s)
	return p
}

// quad is the channels of a number, and words the numbers of a pixel of a block.
const (
	quad  = 4
	words = Lanes / quad
)

// Format names the form of packed weights, which depends on the sizes of the
// image: sums that leave out taps in the padding start differently.
func (p *Quantized) Format() string {
	return fmt.Sprintf("quant-%d-%d-%v", p.t.width, p.q.wordsPerStep, p.regions)
}

// stepWords is the numbers of a step's weights of m output channels.
func (p *Quantized) stepWords(m int) int { return m * p.q.wordsPerStep }

func (p *Quantized) panelWords(m int) int { return p.stepWords(m) * p.taps * p.steps }

// lanes is the output channels of all groups, whole blocks.
func (p *Quantized) lanes() int { return p.groups * Blocks(p.mg) * Lanes }

// PackedBytes returns the length of packed weights.
func (p *Quantized) PackedBytes() int {
	return 4 * (p.groups*p.panelWords(Blocks(p.mg)*Lanes) + p.lanes()*(len(p.regions)+1))
}

// sections cuts packed weights: those, a start of the sums for each region
// and output channel, and the scales.
func (p *Quantized) sections(packed []byte) (w []float32, starts []int32, scales []float32) {
	all := numbers(packed)
	n := p.groups * p.panelWords(Blocks(p.mg)*Lanes)
	starts = unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(all[n:]))), p.lanes()*len(p.regions))
	return all[:n], starts, all[n+len(starts):]
}

// numbers is b, which is aligned, in groups of four.
func numbers(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// Pack packs w, [M, C/Groups, kernel...], the bias, nil or [M], and the scales,
// [M], into dst of PackedBytes, which is aligned to 4 bytes.
func (p *Quantized) Pack(dst []byte, w []int8, bias []int32, scales []float32, xZero uint8) {
	check(len(dst) >= p.PackedBytes() && len(w) >= p.m*p.cg*p.taps && (bias == nil || len(bias) >= p.m) && len(scales) >= p.m)
	clear(dst[:p.PackedBytes()])
	to, starts, packedScales := p.sections(dst[:p.PackedBytes()])
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(to))), 4*len(to))
	each := p.panelWords(Blocks(p.mg) * Lanes)
	for m := range p.m {
		group, in := m/p.mg, m%p.mg
		lane := group*Blocks(p.mg)*Lanes + in
		packedScales[lane] = scales[m]
		first := in / p.t.width * p.t.width
		width := p.t.panel(first, p.mg)
		panel := bytes[4*(group*each+p.panelWords(first)):]
		from := w[m*p.cg*p.taps:][:p.cg*p.taps]
		for c := range p.cg {
			for tap := range p.taps {
				step := panel[4*p.stepWords(width)*(tap*p.steps+c/quad):]
				p.q.put(step, width, in-first, c%quad, from[c*p.taps+tap])
			}
		}
		for r := range p.regions {
			start := int32(0)
			if xZero != 0 {
				start = -int32(xZero) * p.sum(from, &p.regions[r])
			}
			if bias != nil {
				start += bias[m]
			}
			starts[r*p.lanes()+lane] = start
		}
	}
}

// sum adds the weights of an output channel at the taps of a region.
func (p *Quantized) sum(w []int8, r *region) (sum int32) {
	first := r.w / p.steps
	for c := range p.cg {
		for row := range r.rows {
			for col := range r.cols {
				sum += int32(w[c*p.taps+first+row*p.kernel[1]+col])
			}
		}
	}
	return sum
}

// Run computes y, blocked [N, M, Out...], from x, blocked [N, C, In...].
func (p *Quantized) Run(team *parallel.Team, x, packed []byte, yZero uint8, y []byte) {
	check(len(packed) >= p.PackedBytes())
	j := p.jobs.Take()
	j.p, j.x, j.y, j.zero = p, numbers(x), numbers(y), yZero
	j.w, j.starts, j.scales = p.sections(packed[:p.PackedBytes()])
	j.cut.direct = &p.direct
	if p.images*p.groups*p.panels*p.work < 2*p.t.grain {
		team = nil
	}
	j.cut.share(team.Threads())
	team.Do(j.cut.tasks(), j)
	p.jobs.Give(j)
}

// quantJob is one convolution on its way.
type quantJob struct {
	p       *Quantized
	cut     directJob // how the tiles are shared
	x, w, y []float32
	starts  []int32
	scales  []float32
	zero    uint8
}

// Tile computes task i.
func (j *quantJob) Tile(i int) {
	j.cut.each(i, j.tilesOf)
}

// tilesOf computes the tiles [first, end) of a panel.
func (j *quantJob) tilesOf(panel, first, end int) {
	p := j.p
	group, m := panel/p.panels, panel%p.panels*p.t.width
	width := p.t.panel(m, p.mg)
	lane := group*Blocks(p.mg)*Lanes + m
	t := quantTile{zero: int32(j.zero), scale: j.scales[lane:][:width], few: p.few}
	t.yBlock = 4 * p.yBlock
	t.low, t.high = -float32(j.zero), math.MaxUint8-float32(j.zero)
	t.channels, t.channelStep = max(p.steps/words, 1), 4*p.xPixels
	w := j.w[group*p.panelWords(Blocks(p.mg)*Lanes)+p.panelWords(m):]
	x0 := group * (p.cg / Lanes) * p.xPixels
	y0 := (group*(p.mg/Lanes) + m/Lanes) * p.yBlock
	image, in := first/p.tiles, first%p.tiles
	for left := end - first; left > 0; image, in = image+1, 0 {
		rest := in
		for r := range p.regions {
			at := &p.regions[r]
			n := min(at.tiles-rest, left)
			if n <= 0 {
				rest -= at.tiles
				continue
			}
			p.enter(&t.directTile, at, 4*p.steps*p.stepWords(width))
			t.w, t.start = w[p.stepWords(at.w*width):], j.starts[r*p.lanes()+lane:][:width]
			for i, end := rest, rest+n; i < end; {
				count, x, y := at.place(&t.directTile, i, end-i)
				i += count
				t.x, t.y = j.x[image*p.xImage+x0+x:], j.y[image*p.yImage+y0+y:]
				p.q.run(&t, width)
			}
			left, rest = left-n, 0
		}
	}
}
