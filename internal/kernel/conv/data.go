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
	return threads*(p.columnsSize()+p.stage.size(p.cg)) + max(threads*p.columnsGemm(1), p.columnsGemm(threads))
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
	image     int
	group     int
	products  []T // by worker, or one: [cg*taps, pixels]
	stages    []T // by worker: the inputs of a group, with borders
	scratch   []T // of the product
}

func (p *Plan[T]) columnsSize() int { return roundUp(p.k*p.pixels, 16) }

func (p *Plan[T]) columnsGemm(threads int) int {
	a, b := p.columnOperands(nil, nil)
	return gemm.Scratch(p.t, threads, p.k, p.pixels, p.mg, a, b)
}

// columnOperands are the factors: the weights of a group transposed, and its
// part of dy.
func (p *Plan[T]) columnOperands(w, dy []T) (a, b gemm.Operand[T]) {
	return gemm.Operand[T]{Data: w, Stride: p.k, Trans: true}, gemm.Operand[T]{Data: dy, Stride: p.pixels}
}

func (c *columns[T]) run(team *parallel.Team, scratch []T) {
	threads := team.Threads()
	c.products = take(&scratch, threads*c.columnsSize())
	c.stages = take(&scratch, threads*c.stage.size(c.cg))
	c.scratch = scratch
	if c.g.N >= 3*threads || threads == 1 {
		team.DoWorkers(c.g.N, c)
		return
	}
	c.single = true
	for c.image = range c.g.N {
		for c.group = range c.g.Groups {
			c.multiply(team, c.image, c.group, c.products, c.scratch)
			team.DoWorkers(c.cg, c)
		}
	}
}

func (c *columns[T]) multiply(team *parallel.Team, image, group int, product, scratch []T) {
	w := c.w[group*c.mg*c.k:]
	dy := c.dy[(image*c.g.M+group*c.mg)*c.pixels:]
	a, b := c.columnOperands(w, dy)
	gemm.Mul(c.t, team, c.k, c.pixels, c.mg, a, b, product, c.pixels, gemm.Epilogue[T]{}, scratch)
}

// Tile runs an image, or a channel of the image and group at hand.
func (c *columns[T]) Tile(worker, i int) {
	staged := c.stages[worker*c.stage.size(c.cg):]
	if c.single {
		c.gather(c.image, c.group, i, c.products, staged)
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
		from := product[(channel*c.taps+tap)*c.pixels:][:c.pixels]
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
