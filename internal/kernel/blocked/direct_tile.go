package blocked

import (
	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
)

// channelUnit is how many input channels a tile takes at once; packed weights
// are zero for the channels that a convolution lacks.
const channelUnit = 4

// A directTile is what one call of a kernel computes: some output pixels of a
// panel of output channels, or several tiles of as many pixels. Distances are
// in bytes, counts in what they say.
//
// The pixels are at fixed distances, but the second half of them, from pixel
// (pixels+1)/2 on, may begin anywhere: two short rows are one tile.
type directTile struct {
	x, w, y  []float32 // the first pixel at the first tap, its weight, its result
	bias     []float32 // of the panel; nil: none
	residual []float32 // at the same place as y; nil: none

	pixels, xPixel, xSecond, yPixel, ySecond, yBlock int

	repeats, xNext, yNext int // tiles of this kind and from one to the next

	rows, rowStep         int // of taps; 0: no taps at all
	cols, colStep         int
	channels, channelStep int // blocked: in units, and from the end of a block to the next
	wSkip                 int // from the end of a row of taps to the next
	wFetch                int // from w to weights that are needed later: a tile fetches a quarter as many as it uses

	clip      bool
	low, high float32
}

// directTable is what the tiers of direct convolution differ in.
type directTable struct {
	level  cpu.Level
	pixels int // of the greatest tile
	width  int // output channels of a panel
	grain  int // multiplications of about 20 microseconds
}

// panel is the output channels of the panel at channel m of so many.
func (t *directTable) panel(m, channels int) int { return min(t.width, Blocks(channels-m)*Lanes) }

// directGeneric computes a tile of width output channels: the sum of an output
// is one chain that begins with the bias, over rows of taps, columns of taps
// and channels, or rows, channels and columns if the input is plain.
func directGeneric(t *directTile, width int, plain bool) {
	for i := range t.repeats * t.pixels {
		x, y := t.pixel(i)
		var sums [2 * Lanes]float32
		copy(sums[:width], t.bias)
		if plain {
			t.plainSums(sums[:width], x/4)
		} else {
			t.blockedSums(sums[:width], x/4)
		}
		for b := range width / Lanes {
			t.store(sums[b*Lanes:][:Lanes], (y+b*t.yBlock)/4)
		}
	}
}

// pixel returns how far pixel i of all tiles is from the first one.
func (t *directTile) pixel(i int) (x, y int) {
	next := i / t.pixels
	i %= t.pixels
	x, y = next*t.xNext, next*t.yNext
	if half := (t.pixels + 1) / 2; i >= half {
		x, y, i = x+t.xSecond, y+t.ySecond, i-half
	}
	return x + i*t.xPixel, y + i*t.yPixel
}

func (t *directTile) blockedSums(sums []float32, x int) {
	w := t.w
	for row := range t.rows {
		for col := range t.cols {
			from := x + (row*t.rowStep+col*t.colStep)/4
			for c := range t.channels * channelUnit {
				addProduct(sums, t.x[from+c%Lanes+c/Lanes*(t.channelStep/4+Lanes)], w)
				w = w[len(sums):]
			}
		}
		w = w[min(t.wSkip/4, len(w)):]
	}
}

func (t *directTile) plainSums(sums []float32, x int) {
	w := t.w
	for row := range t.rows {
		for c := range t.channels {
			for col := range t.cols {
				addProduct(sums, t.x[x+(row*t.rowStep+c*t.channelStep+col*t.colStep)/4], w)
				w = w[len(sums):]
			}
			w = w[min(t.wSkip/4, len(w)):]
		}
	}
}

// addProduct adds x times the first weights to the sums.
func addProduct(sums []float32, x float32, w []float32) {
	for i, v := range w[:len(sums)] {
		sums[i] = gemm.FMA32(x, v, sums[i])
	}
}

// store writes the sums of a pixel and a block to y from an element on.
func (t *directTile) store(sums []float32, at int) {
	to := t.y[at:][:Lanes]
	for i, v := range sums {
		if t.residual != nil {
			v += t.residual[at+i]
		}
		if t.clip {
			v = atMost(atLeast(v, t.low), t.high)
		}
		to[i] = v
	}
}
