package blocked

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// winograd is a convolution by 3x3 with stride 1 after Winograd, F(4x4,3x3):
// a tile of 4x4 results needs 36 products per pair of channels instead of 144.
//
//	V = B d Bt of the 6x6 pixels d that a tile sees, per channel
//	U = G w Gt of the weights, when they are packed
//	M = sum over channels of V * U, for each of the 36 places
//	y = A M At
//
// The polynomials behind it are evaluated at 0, a, -a, b, -b and infinity. The
// usual 1 and 2 lose a digit; 11/16 and 3/2 have a third of their error, at the
// same cost, and the matrices A and B of these are exact in float32.
//
// Tiles are counted through all images and cut into groups, whose V stays in
// the cache of a core while the weights stream by.
type winograd struct {
	g         *conv.Geometry
	t         *winogradTable
	in, out   [2]int
	top, left int
	cb, mb    int // blocks of a group of channels
	tiles     tiling
	jobs      parallel.FreeList[winogradJob]
}

const (
	winogradSide     = 4 // pixels of a tile
	winogradPoints   = 6
	winogradProducts = winogradPoints * winogradPoints
	winogradA        = 11.0 / 16
	winogradB        = 3.0 / 2

	// A strip is what is transformed at a time: tiles side by side.
	stripTiles = 16
	stripStep  = (stripTiles*winogradSide + 2) * Lanes // elements of a row between the passes
	stripLen   = winogradPoints * stripStep

	winogradTemp = stripLen + Lanes // what a worker needs beside V and M: a strip and the bias of a block
)

// A winogradTable is what the tiers have of their own.
type winogradTable struct {
	rows  int // tiles of the image in a tile of the product
	width int // output channels of a panel
	// product sums width products: of rows 16 elements apart in each of so
	// many blocks of v, vStep apart, by a panel of u. The blocks of m are mStep
	// apart. narrow is for panels of one block.
	product, narrow func(rows, blocks int, v []float32, vStep int, u, m []float32, mStep, ahead, aheadStep int)
	// The input transform: along n pixels of six rows into a strip, and from
	// the strip to n tiles, whose 36 places are vStep apart.
	inRows func(n int, x0, x1, x2, x3, x4, x5, t []float32)
	inCols func(n int, t, v []float32, vStep int)
	// The output transform: from the places of n tiles into a strip, and from
	// n pixels of the strip to 1 to 4 rows of y and of residual, which may be
	// nil, yStep apart.
	outCols func(n int, m []float32, mStep int, t []float32)
	outRows func(n, rows int, t, bias, residual, y []float32, yStep int, low, high float32, clip bool)
}

// A tiling is the tiles of all images, row by row.
type tiling struct {
	down, across int
	all          int
}

func newWinograd(t *Table, g *conv.Geometry, o Options) kernel {
	if o.Direct || o.PlainInput || !winogradFits(g) || !winogradPays(g) {
		return nil
	}
	return makeWinograd(t, g)
}

func makeWinograd(t *Table, g *conv.Geometry) *winograd {
	w := &winograd{g: g, t: &t.winograd, in: sides(g.In), out: sides(g.Out), top: g.Pads[0], left: g.Pads[1]}
	w.cb, w.mb = Blocks(g.C/g.Groups), Blocks(g.M/g.Groups)
	w.tiles.down, w.tiles.across = tilesOf(w.out[0]), tilesOf(w.out[1])
	w.tiles.all = g.N * w.tiles.down * w.tiles.across
	return w
}

func tilesOf(pixels int) int { return (pixels + winogradSide - 1) / winogradSide }

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

// What work costs on one core, in fused multiplications at its peak: weights
// are read from the third cache or from memory, and the two transforms take
// about the same time.
const (
	weightCost    = 18  // of an element of packed weights, read while others are multiplied
	transformCost = 260 // of a channel of a tile
)

// winogradPays compares the cost of an image with that of the direct
// convolution. Small images have few tiles for the many weights.
func winogradPays(g *conv.Geometry) bool {
	c, m := float64(Blocks(g.C/g.Groups)*Lanes), float64(Blocks(g.M/g.Groups)*Lanes)
	tiles := float64(tilesOf(g.Out[0])) * float64(tilesOf(g.Out[1]))
	transformed := winogradProducts*c*m*max(tiles, weightCost) + transformCost*tiles*(c+m)
	return transformed < 9*c*m*max(float64(g.Pixels()), weightCost)
}

func (w *winograd) format() string { return fmt.Sprintf("winograd-4x4-%d", w.t.width) }

func (w *winograd) packedWeights() int { return w.g.Groups * w.groupWeights() }

// groupWeights counts the packed weights of a group of channels.
func (w *winograd) groupWeights() int { return winogradProducts * w.cb * Lanes * w.mb * Lanes }

// packWeights writes panels of t.width output channels, of 36 places each, of
// the transformed weights of all input channels.
func (w *winograd) packWeights(dst, weights []float32) {
	clear(dst[:w.packedWeights()])
	cg, mg := w.g.C/w.g.Groups, w.g.M/w.g.Groups
	for m := range w.g.M {
		group, in := m/mg, m%mg
		panel := in / w.t.width
		width := min(w.t.width, w.mb*Lanes-panel*w.t.width)
		to := dst[group*w.groupWeights()+panel*w.t.width*winogradProducts*w.cb*Lanes:]
		for c := range cg {
			u := winogradWeights(weights[(m*cg+c)*9:][:9])
			for xi, v := range u {
				to[(xi*w.cb*Lanes+c)*width+in%w.t.width] = float32(v)
			}
		}
	}
}

// winogradG are the values of the polynomials 1, x and x*x at the points,
// scaled by what the interpolation through them needs.
var winogradG = func() (g [winogradPoints][3]float64) {
	const a, b = winogradA, winogradB
	g[0][0], g[5][2] = 1/(a*a*b*b), 1
	for i, p := range []float64{a, -a, b, -b} {
		scale := 1 / (2 * a * a * (a*a - b*b))
		if i > 1 {
			scale = 1 / (2 * b * b * (b*b - a*a))
		}
		g[i+1] = [3]float64{scale, scale * p, scale * p * p}
	}
	return g
}()

// winogradWeights returns G w Gt of a kernel of 3x3.
func winogradWeights(k []float32) (u [winogradProducts]float64) {
	var half [winogradPoints][3]float64
	for i, g := range winogradG {
		for j := range 3 {
			half[i][j] = float64(g[0]*float64(k[j])) + float64(g[1]*float64(k[3+j])) + float64(g[2]*float64(k[6+j]))
		}
	}
	for i, h := range half {
		for j, g := range winogradG {
			u[i*winogradPoints+j] = float64(g[0]*h[0]) + float64(g[1]*h[1]) + float64(g[2]*h[2])
		}
	}
	return u
}
