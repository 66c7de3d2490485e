package conv

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Weights are the weights of a convolution, [M, C/Groups, kernel...].
type Weights[T gemm.Float] struct {
	Data   []T
	Packed bool // Data is the work of PackWeights of a plan of the same geometry and format
}

// forward is one convolution on its way: a task whose tiles are whole images,
// or the channels to copy and then the blocks of one image.
type forward[T gemm.Float] struct {
	*Plan[T]
	x, w, y, bias []T
	relu          bool
	phase         phase
	image         int // in the phases of one image
	stages        []T // one per worker, or one
	blocks        []T // one per worker
}

// A phase says what the tiles of a task are.
type phase int

const (
	wholeImages phase = iota
	copyChannels
	computeBlocks
)

// ForwardScratch returns how many elements Forward needs as scratch on a team
// of that many threads.
func (p *Plan[T]) ForwardScratch(threads int, packed bool) int {
	if p.empty {
		return 0
	}
	n := max(threads, 1) * (p.stage.size(p.g.C) + p.blockSize())
	if p.crowd.use {
		n = p.crowdScratch(max(threads, 1))
	}
	if !packed {
		n += roundUp(p.PackedWeights(), 16) + max(threads, 1)*p.packBuffer()
	}
	return n
}

// blockSize is the elements of a block before it is transposed.
func (p *Plan[T]) blockSize() int {
	if p.across {
		return 0
	}
	return roundUp(p.block.rows*p.block.cols*p.t.Cols, 16)
}

// Forward computes y, [N, M, Out...], from x, [N, C, In...]. bias, [M], may be
// nil. relu replaces negative results by zero.
func (p *Plan[T]) Forward(team *parallel.Team, x []T, w Weights[T], bias []T, relu bool, y, scratch []T) {
	g := p.g
	check(len(x) >= g.N*g.ImageIn() && len(y) >= g.N*g.ImageOut() && (bias == nil || len(bias) >= g.M))
	if p.empty {
		p.emptySums(bias, relu, y)
		return
	}
	p.convolve(team, x, w, false, bias, relu, y, scratch)
}

// convolve packs the weights, turned if asked for, and runs the convolution.
func (p *Plan[T]) convolve(team *parallel.Team, x []T, w Weights[T], turned bool, bias []T, relu bool, y, scratch []T) {
	team = p.worth(team)
	scratch = orMake(scratch, p.ForwardScratch(team.Threads(), w.Packed))
	if !w.Packed {
		check(len(w.Data) >= p.g.Weights())
		packed := take(&scratch, roundUp(p.PackedWeights(), 16))
		p.pack(team, packed, w.Data, turned, false, take(&scratch, team.Threads()*p.packBuffer()))
		w.Data = packed
	}
	check(len(w.Data) >= p.PackedWeights())
	if p.crowd.use {
		p.convolveCrowd(team, x, w.Data, bias, relu, y, scratch)
		return
	}
	f := p.forwards.Take()
	*f = forward[T]{Plan: p, x: x, w: w.Data, y: y, bias: bias, relu: relu}
	f.run(team, scratch)
	p.forwards.Give(f)
}

// emptySums computes a convolution without inputs.
func (p *Plan[T]) emptySums(bias []T, relu bool, y []T) {
	for i := range p.g.N * p.g.M {
		var v T
		if bias != nil {
			v = bias[i%p.g.M]
		}
		if relu && v < 0 {
			v = 0
		}
		row := y[i*p.pixels:][:p.pixels]
		for j := range row {
			row[j] = v
		}
	}
}

// worth returns no team for a convolution that is over before a helper comes.
func (p *Plan[T]) worth(team *parallel.Team) *parallel.Team {
	if int64(p.g.N)*int64(p.g.M)*int64(p.pixels)*int64(p.k) < p.t.Worth {
		return nil
	}
	return team
}

// run shares out the images if there are enough of them, and otherwise the
// blocks of each. The bits are the same either way.
func (f *forward[T]) run(team *parallel.Team, scratch []T) {
	threads := team.Threads()
	f.stages = take(&scratch, threads*f.stage.size(f.g.C))
	f.blocks = scratch
	if f.g.N >= 3*threads || threads == 1 {
		team.DoWorkers(f.g.N, f)
		return
	}
	panels := f.panels()
	for f.image = range f.g.N {
		if f.stage.copied {
			f.phase = copyChannels
			team.DoWorkers(f.g.C, f)
		}
		f.phase = computeBlocks
		team.DoWorkers(f.g.Groups*panels*f.block.down*f.block.side, f)
	}
}

// panels is the panels of output channels in a group.
func (f *forward[T]) panels() int {
	if f.across {
		return (f.mg + f.t.Rows - 1) / f.t.Rows
	}
	return (f.mg + f.t.Cols - 1) / f.t.Cols
}

// Tile runs one tile of the phase.
func (f *forward[T]) Tile(worker, i int) {
	size := f.stage.size(f.g.C)
	switch f.phase {
	case copyChannels:
		in := f.g.ImageIn() / f.g.C
		fill(&f.stage, f.stages[i*f.stage.plane:], f.x[f.image*f.g.ImageIn()+i*in:], 1)
	case computeBlocks:
		f.computeBlock(worker, f.image, i, f.stages)
	default:
		staged := f.stages[worker*size:][:size]
		if f.stage.copied {
			fill(&f.stage, staged, f.x[i*f.g.ImageIn():], f.g.C)
		}
		for b := range f.g.Groups * f.panels() * f.block.down * f.block.side {
			f.computeBlock(worker, i, b, staged)
		}
	}
}

// computeBlock computes block b of an image: all pixels of a panel of channels
// before the next panel, whose weights are then new to the cache.
func (f *forward[T]) computeBlock(worker, image, b int, staged []T) {
	side := b % f.block.side
	b /= f.block.side
	down := b % f.block.down
	b /= f.block.down
	panel, group := b%f.panels(), b/f.panels()
	src := staged[:len(staged):len(staged)]
	if !f.stage.copied {
		src = f.x[image*f.g.ImageIn():][:f.g.ImageIn()]
	}
	src = src[group*f.cg*f.stage.plane:]
	row0, col0 := down*f.block.rows, side*f.block.cols
	rows, cols := min(f.block.rows, f.rows-row0), min(f.block.cols, f.ow-col0)
	if f.across {
		f.alongPixels(src, image, group, panel, row0, rows, col0, cols)
		return
	}
	f.alongChannels(worker, src, image, group, panel, row0, rows, col0, cols)
}

// start returns what the sums of the channels from m start from.
func (f *forward[T]) start(m int, by gemm.Start) (gemm.Start, []T) {
	if f.bias == nil {
		return gemm.FromZero, nil
	}
	return by, f.bias[m:]
}

// stepsOf returns the steps of the sums of an output row: those that read the
// image, not those that read only padding above or below it.
func (f *forward[T]) stepsOf(row int) (from, to int) {
	from, to = f.outer.inside(row)
	return from * f.cg * f.inner, to * f.cg * f.inner
}

// alongPixels computes a block with pixels in the vectors.
func (f *forward[T]) alongPixels(src []T, image, group, panel, row0, rows, col0, cols int) {
	t := f.t
	m0 := panel * t.Rows
	channels := min(t.Rows, f.mg-m0)
	w := f.w[group*(f.PackedWeights()/f.g.Groups)+m0*f.k:]
	m := group*f.mg + m0
	start, bias := f.start(m, gemm.FromRowBias)
	y := f.y[(image*f.g.M+m)*f.pixels:]
	for r := row0; r < row0+rows; r++ {
		from, to := f.stepsOf(r)
		for next := col0; next < col0+cols; next += t.Cols {
			// The last tile overlaps its neighbour: a narrow one costs more.
			c, n := next, min(t.Cols, cols)
			if c+n > col0+cols {
				c = col0 + cols - n
			}
			t.TileB(channels, to-from, w[from*t.Rows:], t.Rows, src[f.rowOff[r]+c:], f.kOff[from:to], y[r*f.ow+c:], f.pixels, n, start, bias, f.relu)
		}
	}
}

// alongChannels computes a block with channels in the vectors, pixel by
// pixel, and transposes it.
func (f *forward[T]) alongChannels(worker int, src []T, image, group, panel, row0, rows, col0, cols int) {
	t := f.t
	m0 := panel * t.Cols
	channels := min(t.Cols, f.mg-m0)
	w := f.w[group*(f.PackedWeights()/f.g.Groups)+m0*f.k:]
	m := group*f.mg + m0
	start, bias := f.start(m, gemm.FromColBias)
	block := f.blocks[worker*f.blockSize():][:rows*cols*t.Cols]
	pieces := (cols + t.Rows - 1) / t.Rows
	for r := range rows {
		from, to := f.stepsOf(row0 + r)
		for i := range pieces {
			c, next := i*cols/pieces, (i+1)*cols/pieces
			out := block[(r*cols+c)*t.Cols:]
			t.TileA(next-c, to-from, src[f.rowOff[row0+r]+col0+c:], f.kOff[from:to], w[from*t.Cols:], t.Cols, out, t.Cols, channels, start, bias, f.relu)
		}
	}
	y := f.y[(image*f.g.M+m)*f.pixels+row0*f.ow+col0:]
	t.Transpose(y, f.pixels, block, t.Cols, rows*cols, channels)
}
