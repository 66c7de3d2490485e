// Package pool reduces windows of plain tensors, [N, C, spatial...], by their
// maximum or their average, with any number of spatial axes, forward and
// backward.
//
// NaN propagates wherever it stands in a window. Of equal maxima the first in
// row-major order counts. Every output is computed by one goroutine in one
// order, so the bits do not depend on the number of threads.
package pool

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// A Geometry is the sizes of one pooling. Make it with NewGeometry or Global.
type Geometry struct {
	N, C                       int
	In, Out                    []int // spatial sizes
	Kernel, Strides, Dilations []int
	Pads                       []int // before each axis, then behind each axis
}

// NewGeometry checks the sizes. Out is given, since rounding up and automatic
// padding are rules of the operator; windows are cut at the border of the
// image. Nil strides and dilations are 1, nil pads 0.
func NewGeometry(n, c int, in, out, kernel, strides, dilations, pads []int) (*Geometry, error) {
	rank := len(in)
	g := &Geometry{
		N: n, C: c, In: slices.Clone(in), Out: slices.Clone(out), Kernel: slices.Clone(kernel),
		Strides: orDefault(strides, rank, 1), Dilations: orDefault(dilations, rank, 1), Pads: orDefault(pads, 2*rank, 0),
	}
	if rank == 0 || rank > maxAxes {
		return nil, fmt.Errorf("pooling needs 1 to %d spatial axes, not %d", maxAxes, rank)
	}
	if len(g.Out) != rank || len(g.Kernel) != rank || len(g.Strides) != rank || len(g.Dilations) != rank || len(g.Pads) != 2*rank {
		return nil, fmt.Errorf("output, kernel, strides, dilations and pads have %d, %d, %d, %d and %d entries for %d spatial axes",
			len(g.Out), len(g.Kernel), len(g.Strides), len(g.Dilations), len(g.Pads), rank)
	}
	for axis := range rank {
		if err := g.checkAxis(axis); err != nil {
			return nil, err
		}
	}
	if n < 0 || c < 0 || !fits(append([]int{n, c}, in...)) || !fits(append([]int{n, c}, out...)) {
		return nil, fmt.Errorf("pooling of %d x %d channels of %v to %v has too many elements", n, c, in, out)
	}
	return g, nil
}

// Global returns the geometry whose only window is the image.
func Global(n, c int, in []int) (*Geometry, error) {
	kernel := slices.Clone(in)
	for i, k := range kernel {
		kernel[i] = max(k, 1)
	}
	return NewGeometry(n, c, in, slices.Repeat([]int{1}, len(in)), kernel, nil, nil, nil)
}

// maxAxes is the spatial axes of the greatest tensor that is pooled.
const maxAxes = 8

func orDefault(s []int, n, value int) []int {
	if s != nil {
		return slices.Clone(s)
	}
	return slices.Repeat([]int{value}, n)
}

// limit keeps a product of two sizes within an int64 and a sum within an int32.
const limit = math.MaxInt32 / 4

func (g *Geometry) checkAxis(axis int) error {
	rank := len(g.In)
	for _, v := range []int{g.In[axis], g.Out[axis], g.Pads[axis], g.Pads[rank+axis]} {
		if v < 0 || v > limit {
			return fmt.Errorf("spatial axis %d: size %d, output %d, pads %d and %d: out of range", axis, g.In[axis], g.Out[axis], g.Pads[axis], g.Pads[rank+axis])
		}
	}
	for _, v := range []int{g.Kernel[axis], g.Strides[axis], g.Dilations[axis]} {
		if v < 1 || v > limit {
			return fmt.Errorf("spatial axis %d: kernel %d, stride %d, dilation %d: out of range", axis, g.Kernel[axis], g.Strides[axis], g.Dilations[axis])
		}
	}
	if last := int64(g.Out[axis]-1) * int64(g.Strides[axis]); last > limit {
		return fmt.Errorf("spatial axis %d: %d windows at stride %d go too far", axis, g.Out[axis], g.Strides[axis])
	}
	return nil
}

// fits tells whether the product of sizes is an int. Sizes of 0 count as 1.
func fits(sizes []int) bool {
	product := uint64(16)
	for _, n := range sizes {
		high, low := bits.Mul64(product, uint64(max(n, 1)))
		if high != 0 || low > math.MaxInt {
			return false
		}
		product = low
	}
	return true
}

func product(sizes []int) int {
	n := 1
	for _, s := range sizes {
		n *= s
	}
	return n
}

// A Window is the part of a kernel that lies in the image, along one axis.
type Window struct {
	First int // the input of the first tap
	Taps  int // may be 0
	Step  int // from one tap to the next
	Area  int // taps in the image and its padding
}

// Windows returns the windows along one axis.
func (g *Geometry) Windows(axis int) []Window {
	in, s, d, before := g.In[axis], g.Strides[axis], g.Dilations[axis], g.Pads[axis]
	end := in + g.Pads[len(g.In)+axis]
	all := make([]Window, g.Out[axis])
	for o := range all {
		from := o*s - before
		lo := clampTaps(-from, d, g.Kernel[axis])
		hi := clampTaps(in-from, d, g.Kernel[axis])
		w := Window{Step: d, Area: clampTaps(end-from, d, g.Kernel[axis])}
		if hi > lo {
			w.First, w.Taps = from+lo*d, hi-lo
		}
		all[o] = w
	}
	return all
}

// clampTaps counts the taps k, of kernel, with k*d below distance.
func clampTaps(distance, d, kernel int) int {
	return min(max((distance+d-1)/d, 0), kernel)
}
