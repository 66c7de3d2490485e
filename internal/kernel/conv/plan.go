package conv

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// A Plan is what a convolution of one geometry needs to know. It may be used
// by several goroutines at a time.
//
// Slices are checked once: one that is too short is a caller's bug and
// panics. Scratch may be nil and is allocated then.
type Plan[T gemm.Float] struct {
	t *gemm.Table[T]
	g *Geometry // simplified

	cg, mg, taps, pixels int // per group, per kernel, per output channel
	k                    int // steps of a sum
	ow, rows             int // pixels of an output row, rows of a channel

	stage  stage
	kOff   []int     // by step of a sum: where it begins, relative to the row
	outer  outerTaps // the steps are ordered by the tap of the first axis, then
	inner  int       // by channel, then by the other taps, of which there are inner
	tapOff []int     // by tap: where it begins, relative to the row
	rowOff []int     // by output row: where it begins in a plane

	format string
	empty  bool // the input or the output has no elements
	across bool // the vectors lie along pixels, otherwise along channels
	block  block

	backward *Plan[T] // the data gradient as a convolution, nil if it is not one
	weights  weightsPlan
	together togetherPlan
	crowd    crowdPlan

	packings  parallel.FreeList[packing[T]]
	crowds    parallel.FreeList[crowd[T]]
	forwards  parallel.FreeList[forward[T]]
	columns   parallel.FreeList[columns[T]]
	grads     parallel.FreeList[weightsGradient[T]]
	togethers parallel.FreeList[together[T]]
	biases    parallel.FreeList[biasGradient[T]]
}

// A block is the pixels that are computed before they are stored: some whole
// rows or a part of one.
type block struct {
	rows, cols int
	down, side int // blocks below each other and side by side
}

// last is the columns of the last block of a row.
func (b *block) last(ow int) int { return ow - (b.side-1)*b.cols }

const blockPixels = 112

// NewPlan prepares a convolution. t nil is the table of this CPU.
func NewPlan[T gemm.Float](t *gemm.Table[T], g *Geometry) *Plan[T] {
	if t == nil {
		t = gemm.Best[T]()
	}
	p := newPlan(t, g.simplify())
	if b := p.g.backward(); b != nil && !p.empty {
		p.backward = newPlan(t, b)
	}
	return p
}

func newPlan[T gemm.Float](t *gemm.Table[T], g *Geometry) *Plan[T] {
	p := &Plan[T]{t: t, g: g, cg: g.C / g.Groups, mg: g.M / g.Groups, taps: g.Taps(), pixels: g.Pixels()}
	p.k = p.cg * p.taps
	p.ow = g.Out[len(g.Out)-1]
	p.rows = product(g.Out[:len(g.Out)-1])
	p.across = p.vectorsAlongPixels()
	if p.empty = g.N*g.ImageIn() == 0 || g.N*g.ImageOut() == 0; p.empty {
		return p // the sizes of nothing may be large
	}
	p.outer = newOuterTaps(g)
	p.inner = p.taps / p.outer.n
	if p.crowd = p.planCrowd(); p.crowd.use {
		p.across = false
	}
	p.block = p.cut()
	p.stage = newStage(g, p.across && p.block.last(p.ow) < t.Cols)
	p.format = p.formatOf()
	p.tapOff = p.stage.tapOffsets(g)
	p.kOff = p.stage.steps(p.tapOff, p.cg, p.outer.n)
	p.rowOff = p.stage.outRows(g)
	p.weights = p.planWeights()
	p.together = p.planTogether()
	return p
}

// backward returns the geometry of the data gradient where that is an
// ordinary convolution: of dy, with the kernel turned around and the roles of
// the channels exchanged.
func (g *Geometry) backward() *Geometry {
	rank := len(g.In)
	b := &Geometry{N: g.N, C: g.M, M: g.C, Groups: g.Groups, In: g.Out, Out: g.In, Kernel: g.Kernel, Dilations: g.Dilations, Strides: g.Strides}
	for i := range g.Pads {
		axis := i % rank
		pad := g.Dilations[axis]*(g.Kernel[axis]-1) - g.Pads[i]
		if pad < 0 || g.Strides[axis] != 1 {
			return nil
		}
		b.Pads = append(b.Pads, pad)
	}
	return b
}

// storeCost is what storing one element costs, in multiplications of a
// sum, when channels lie in the vectors and the result must be transposed.
const storeCost = 12

// vectorsAlongPixels compares the multiplications of both ways, idle lanes
// included.
func (p *Plan[T]) vectorsAlongPixels() bool {
	t := p.t
	pixels := tiled(p.mg, t.Rows) * roundUp(p.ow, t.Cols) * p.k
	channels := tiled(p.ow, t.Rows)*roundUp(p.mg, t.Cols)*p.k + storeCost*p.ow*p.mg
	return pixels < channels
}

// tiled is n rows cut into tiles; a tile of less than six rows costs as much
// as one of six, because its chains wait for each other.
func tiled(n, rows int) int { return max(n, 6*((n+rows-1)/rows)) }

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// cut chooses the blocks.
func (p *Plan[T]) cut() block {
	b := block{rows: 1, cols: p.ow}
	if p.ow > blockPixels {
		b.cols = blockPixels / p.t.Rows * p.t.Rows
		if p.across {
			b.cols = 4 * p.t.Cols
		}
	} else {
		b.rows = max(min(blockPixels/max(p.ow, 1), p.rows), 1)
	}
	b.down = (p.rows + b.rows - 1) / b.rows
	b.side = (p.ow + b.cols - 1) / max(b.cols, 1)
	return b
}

// Format names the form of packed weights; plans with weights of one shape, in
// as many groups, and of one format can read each other's.
func (p *Plan[T]) Format() string { return p.format }

func (p *Plan[T]) formatOf() string {
	lanes := "columns"
	if p.across {
		lanes = "rows"
	}
	return fmt.Sprintf("%s-%d-%s", lanes, p.outer.n, p.t.Format())
}

// PackedWeights returns the length of the weights in packed form.
func (p *Plan[T]) PackedWeights() int {
	if p.across {
		return p.g.Groups * gemm.PackedA(p.t, p.mg, p.k)
	}
	return p.g.Groups * gemm.PackedB(p.t, p.k, p.mg)
}

// PackWeights packs w, [M, C/Groups, kernel...], into dst of PackedWeights
// elements.
func (p *Plan[T]) PackWeights(dst, w []T) {
	check(len(w) >= p.g.M*p.k && len(dst) >= p.PackedWeights())
	p.pack(nil, dst, w, false, true, make([]T, p.packBuffer()))
}

func check(ok bool) {
	if !ok {
		panic("conv: slice too short")
	}
}

// take cuts n elements off the front of scratch.
func take[T gemm.Float](scratch *[]T, n int) []T {
	s := (*scratch)[:n:n]
	*scratch = (*scratch)[n:]
	return s
}

// orMake allocates scratch for callers that have none.
func orMake[T gemm.Float](scratch []T, n int) []T {
	if scratch == nil {
		return make([]T, n)
	}
	check(len(scratch) >= n)
	return scratch
}
