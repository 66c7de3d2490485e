package blocked

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// winograd is a convolution by 3x3 with stride 1 after Winograd. F(4x4,3x3): a
// tile of 4x4 results needs 36 products per pair of channels instead of 144.
//
//	V = B d Bt of the 6x6 pixels d that a tile sees, per channel
//	U = G w Gt of the weights, when they are packed
//	M = sum over channels of V * U, for each of the 36 places
//	y = A M At
//
// F(2x2,3x3) needs 16 products instead of 36, and fewer weights: for small
// images.
//
// Tiles are counted through all images and cut into groups, whose V and M stay
// near a core while the weights stream by.
type winograd struct {
	*winogradForm
	*winogradTransforms
	g            *conv.Geometry
	t            *winogradTable
	in, out      [2]int
	top, left    int
	cb, mb       int // blocks of a group of channels
	down, across int // tiles of an image
	tiles        int // of all images
	jobs         parallel.FreeList[winogradJob]
}

// A winogradForm is a size of tiles.
type winogradForm struct {
	side     int          // pixels of a tile
	points   int          // values to which a line of a tile is transformed
	products int          // of a tile, places of V, U and M
	g        [][3]float64 // G: the polynomials 1, x and x*x at the points, scaled as the interpolation needs it
}

const (
	// The polynomials behind F(4x4,3x3) are evaluated at 0, a, -a, b, -b and
	// infinity. The usual 1 and 2 lose a digit; these have a third of their
	// error at the same cost, and A and B are exact in float32.
	winogradA = 11.0 / 16
	winogradB = 3.0 / 2

	winogradPoints = 6 // of the largest form

	// A strip is what is transformed at a time, tiles side by side, so few
	// that they stay in the first cache between the passes.
	stripTiles = 8
	stripStep  = (stripTiles*4 + 2) * Lanes // elements of a row between the passes
	stripLen   = winogradPoints * stripStep

	winogradTemp = stripLen + Lanes // what a worker needs beside V and M: a strip and the bias of a block
)

var winogradForms = func() (f [2]winogradForm) {
	f[0] = winogradForm{side: 2, points: 4, g: [][3]float64{{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}}}
	const a, b = winogradA, winogradB
	f[1] = winogradForm{side: 4, points: winogradPoints, g: [][3]float64{{1 / (a * a * b * b), 0, 0}}}
	for i, p := range []float64{a, -a, b, -b} {
		scale := 1 / (2 * a * a * (a*a - b*b))
		if i > 1 {
			scale = 1 / (2 * b * b * (b*b - a*a))
		}
		f[1].g = append(f[1].g, [3]float64{scale, scale * p, scale * p * p})
	}
	f[1].g = append(f[1].g, [3]float64{0, 0, 1})
	for i := range f {
		f[i].products = f[i].points * f[i].points
	}
	return f
}()

// A winogradTable is what the tiers have of their own.
type winogradTable struct {
	rows  int // tiles of the image in a tile of the product
	width int // output channels of a panel
	// product sums width products: of times*rows rows 16 elements apart in each
	// of so many blocks of v, vStep apart, by a panel of u. The blocks of m are mStep
	// apart; with more, the sums there go on. Weights ahead may be fetched
	// meanwhile, aheadStep in 4 steps. narrow is for panels of one block.
	product, narrow func(times, rows, blocks int, v []float32, vStep int, u, m []float32, mStep, ahead, aheadStep int, more bool)
	transforms      [2]winogradTransforms // of the forms
	// weights transforms kernels of 16 output channels for n input channels, in float64: n times 9 rows of 16 lanes become
	// places of u, uStep apart; the next channel is next further.
	weights func(n, points int, g [][3]float64, w, u []float32, uStep, next int)
	// alone is the multiplications of a direct convolution, about 20 microseconds of this one, below which a second thread does
	// not pay.
	alone int64
}

// winogradTransforms are the two passes of each transform of one form.
type winogradTransforms struct {
	// The input transform: along n pixels of as many rows as the form has
	// points into a strip, and from the strip to n tiles, whose places are
	// vStep apart.
	inRows func(n int, x0, x1, x2, x3, x4, x5, t []float32)
	inCols func(n int, t, v []float32, vStep int)
	// The output transform: from the places of n tiles into a strip, and from
	// n pixels of the strip to some rows of y and of residual, which may be
	// nil, yStep apart.
	outCols func(n int, m []float32, mStep int, t []float32)
	outRows func(n, rows int, t, bias, residual, y []float32, yStep int, low, high float32, clip bool)
}

func newWinograd(t *Table, g *conv.Geometry, o Options) kernel {
	if o.Direct || o.PlainInput || !winogradFits(g) {
		return nil
	}
	form, cost := -1, directCost(g)
	for i := range winogradForms {
		if c := winogradForms[i].cost(g); c < cost {
			form, cost = i, c
		}
	}
	if form < 0 {
		return nil
	}
	return makeWinograd(t, g, form)
}

func makeWinograd(t *Table, g *conv.Geometry, form int) *winograd {
	w := &winograd{g: g, t: &t.winograd, in: sides(g.In), out: sides(g.Out), top: g.Pads[0], left: g.Pads[1]}
	w.winogradForm, w.winogradTransforms = &winogradForms[form], &t.winograd.transforms[form]
	w.cb, w.mb = Blocks(g.C/g.Groups), Blocks(g.M/g.Groups)
	w.down, w.across = ceil(w.out[0], w.side), ceil(w.out[1], w.side)
	w.tiles = g.N * w.down * w.across
	return w
}

// winogradFits reports whether the transform exists for the geometry.
func winogradFits(g *conv.Geometry) bool {
	if len(g.In) != 2 {
		return false
	}
	for i := range 2 {
		if g.Kernel[i] != 3 || g.Strides[i] != 1 || g.Dilations[i] != 1 || g.Pads[i] > 2 || g.Pads[i+2] > 2 {
			return false
		}
	}
	c, m := g.C/g.Groups, g.M/g.Groups
	return c >= Lanes && m >= Lanes && (g.Groups == 1 || c%Lanes == 0 && m%Lanes == 0)
}

// What work costs on one core, in fused multiplications at its peak. The
// weights of a network do not stay in the second cache from one run to the
// next: they count as read at 30 GB/s, so that a form with more of them must
// save much elsewhere. That decides for F(2x2) at 14x14 and 7x7 pixels and for
// none at 4x4.
const (
	weightCost    = 16 // to read an element of packed weights
	transformCost = 7  // of a place of a tile and channel, in either transform
)

// directCost is what an image costs without a transform.
func directCost(g *conv.Geometry) float64 {
	return 9 * channelPairs(g) * (float64(g.Pixels()) + weightCost)
}

// cost is what an image costs. Small images have few tiles for the many
// weights. The number of images does not count: it must not change the sums.
func (f *winogradForm) cost(g *conv.Geometry) float64 {
	tiles := float64(ceil(g.Out[0], f.side)) * float64(ceil(g.Out[1], f.side))
	channels := float64(Blocks(g.C/g.Groups)+Blocks(g.M/g.Groups)) * Lanes * float64(g.Groups)
	return float64(f.products) * (channelPairs(g)*(tiles+weightCost) + transformCost*tiles*channels)
}

// channelPairs counts the multiplications for a pixel and a tap.
func channelPairs(g *conv.Geometry) float64 {
	return float64(Blocks(g.C/g.Groups)*Lanes) * float64(Blocks(g.M/g.Groups)*Lanes) * float64(g.Groups)
}

func (w *winograd) format() string {
	return fmt.Sprintf("winograd-%dx%d-%d", w.side, w.side, w.t.width)
}

func (w *winograd) packedWeights() int { return w.g.Groups * w.groupWeights() }

// groupWeights counts the packed weights of a group of channels.
func (w *winograd) groupWeights() int { return w.products * w.mb * Lanes * w.cb * Lanes }
