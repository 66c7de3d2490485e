package conv

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// DataScratch returns how many elements BackwardData needs as scratch on a
// team of that many threads.
func (p *Plan[T]) DataScratch(threads int) int {
	if p.empty {
		return 0
	}
	if p.backward != nil {
		return p.backward.ForwardScratch(threads, false)
	}
	threads = max(threads, 1)
	return threads*(p.columnsSize()+p.stage.size(p.cg)) + p.columnsStaged() + max(threads*p.columnsGemm(1), p.columnsGemm(threads))
}

// BackwardData computes dx, [N, C, In...], from dy, [N, M, Out...]: the sum
// over all outputs that an input took part in. It is also what a transposed
// convolution computes. w has the form of PackWeights' argument.
func (p *Plan[T]) BackwardData(team *parallel.Team, dy, w, dx, scratch []T) {
	g := p.g
	check(len(dy) >= g.N*g.ImageOut() && len(dx) >= g.N*g.ImageIn() && len(w) >= g.Weights())
	if p.empty {
		clear(dx[:g.N*g.ImageIn()])
		return
	}
	if p.backward != nil {
		p.backward.convolve(team, dy, Weights[T]{Data: w}, true, nil, false, dx, scratch)
		return
	}
	team = p.worth(team)
	scratch = orMake(scratch, p.DataScratch(team.Threads()))
	c := p.columns.Take()
	*c = columns[T]{Plan: p, dy: dy, w: w, dx: dx}
	c.run(team, scratch)
	p.columns.Give(c)
}

// columns is the data gradient of a convolution with strides: a product gives
// what each output hands to each of its inputs, and these are added up where
// they belong. A tile is an image, or a channel of one.
type columns[T gemm.Float] struct {
	*Plan[T]
	dy, w, dx []T
	single    bool // the tiles are channels
	image     int  // the first
	images    int  // that are multiplied at once
	group     int
	products  []T // by worker, or one: [cg*taps, images, pixels]
	stages    []T // by worker: the inputs of a group, with borders
	staged    []T // dy of several images: [mg, images, pixels]
	scratch   []T // of the product
}

// columnsMost is the columns of a product of several images.
const columnsMost = 64

// columnsImages is how many images are multiplied at once: several if they are
// small.
func (p *Plan[T]) columnsImages() int {
	if p.g.Groups > 1 {
		return 1
	}
	return max(min(columnsMost/p.pixels, p.g.N), 1)
}

func (p *Plan[T]) columnsSize() int { return roundUp(p.k*p.pixels*p.columnsImages(), 16) }

// columnsStaged is the elements of dy of several images.
func (p *Plan[T]) columnsStaged() int {
	if p.columnsImages() == 1 {
		return 0
	}
	return roundUp(p.mg*p.pixels*p.columnsImages(), 16)
}

func (p *Plan[T]) columnsGemm(threads int) int {
	a, b := p.columnOperands(nil, nil, 1)
	need := 0
	for _, n := range []int{p.columnsImages(), max(p.g.N%p.columnsImages(), 1)} {
		need = max(need, gemm.Scratch(p.t, threads, p.k, p.pixels*n, p.mg, a, b))
	}
	return need
}

// columnOperands are the factors: the weights of a group transposed, and its
// part of dy of some images.
func (p *Plan[T]) columnOperands(w, dy []T, images int) (a, b gemm.Operand[T]) {
	return gemm.Operand[T]{Data: w, Stride: p.k, Trans: true}, gemm.Operand[T]{Data: dy, Stride: p.pixels * images}
}

func (c *columns[T]) run(team *parallel.Team, scratch []T) {
	threads := team.Threads()
	c.products = take(&scratch, threads*c.columnsSize())
	c.stages = take(&scratch, threads*c.stage.size(c.cg))
	c.staged = take(&scratch, c.columnsStaged())
	c.scratch = scratch
	most := c.columnsImages()
	if c.images = 1; most == 1 && (c.g.N >= 3*threads || threads == 1) {
		team.DoWorkers(c.g.N, c)
		return
	}
	c.single = true
	for c.image = 0; c.image < c.g.N; c.image += c.images {
		c.images = min(most, c.g.N-c.image)
		for c.group = range c.g.Groups {
			c.multiply(team, c.image, c.group, c.products, c.scratch)
			team.DoWorkers(c.cg, c)
		}
	}
}

func (c *columns[T]) multiply(team *parallel.Team, image, group int, product, scratch []T) {
	w := c.w[group*c.mg*c.k:]
	a, b := c.columnOperands(w, c.dyOf(image, group), c.images)
	n := c.images * c.pixels
	gemm.Mul(c.t, team, c.k, n, c.mg, a, b, product, n, gemm.Epilogue[T]{}, scratch)
}

// dyOf is dy of a group of the images at hand, side by side.
func (c *columns[T]) dyOf(image, group int) []T {
	if c.images == 1 {
		return c.dy[(image*c.g.M+group*c.mg)*c.pixels:]
	}
	for i := range c.images {
		from := c.dy[((image+i)*c.g.M+group*c.mg)*c.pixels:]
		for m := range c.mg {
			copy(c.staged[(m*c.images+i)*c.pixels:], from[m*c.pixels:][:c.pixels])
		}
	}
	return c.staged
}

// Tile runs an image, or a channel of the images and the group at hand.
func (c *columns[T]) Tile(worker, i int) {
	staged := c.stages[worker*c.stage.size(c.cg):]
	if c.single {
		for n := range c.images {
			c.gather(c.image+n, c.group, i, c.products[n*c.pixels:], staged)
		}
		return
	}
	need := c.columnsGemm(1)
	product := c.products[worker*c.columnsSize():][:c.columnsSize()]
	for group := range c.g.Groups {
		c.multiply(nil, i, group, product, c.scratch[worker*need:][:need])
		for channel := range c.cg {
			c.gather(i, group, channel, product, staged)
		}
	}
}

// gather adds up the inputs of one channel.
func (c *columns[T]) gather(image, group, channel int, product, staged []T) {
	in := c.g.ImageIn() / c.g.C
	dx := c.dx[image*c.g.ImageIn()+(group*c.cg+channel)*in:][:in]
	plane := dx
	if c.stage.copied {
		plane = staged[:c.stage.plane]
	}
	clear(plane)
	for tap := range c.taps {
		from := product[(channel*c.taps+tap)*c.images*c.pixels:][:c.pixels]
		for r, off := range c.rowOff {
			add(plane[off+c.tapOff[tap]:], from[r*c.ow:][:c.ow])
		}
	}
	if c.stage.copied {
		drain(&c.stage, dx, plane, 1)
	}
}

// add adds x to sum.
func add[T gemm.Float](sum, x []T) {
	sum = sum[:len(x)]
	for i, v := range x {
		sum[i] += v
	}
}
