// Package conv convolves plain tensors: [N, C, spatial...] by weights
// [M, C/Groups, kernel...] to [N, M, spatial...], with any number of spatial
// axes, forward and backward.
//
// A convolution is a product of matrices whose one factor is never written
// down: its element for pixel p, input channel c and tap t lies in the image
// at an offset that is the sum of one of p and one of (c, t). The tiles of
// package gemm read it there. Images with padding or a stride along the last
// axis are copied first, with their borders, and the columns that belong to
// one remainder of the stride side by side. Many small images are laid side by
// side, so that a vector or a tile is as full as with large ones.
//
// The sum of an output element is one chain, over the taps of the first axis,
// then channels, then the other taps, as in package gemm: equal bits for any
// number of threads and any tier. Taps that lie in the padding count as zeros
// (an infinite weight there may give NaN) or are left out.
package conv

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// A Geometry is the sizes of one convolution. Make it with NewGeometry.
type Geometry struct {
	N, C, M, Groups int   // images, input channels, output channels
	In, Out, Kernel []int // spatial sizes
	Strides         []int
	Dilations       []int
	Pads            []int // before each axis, then behind each axis
}

// NewGeometry checks the sizes and computes Out,
// floor((In + pads - Dilations*(Kernel-1) - 1) / Strides) + 1. Nil strides and
// dilations are 1, nil pads 0. Sizes that are negative, do not fit together or
// overflow an int are an error.
func NewGeometry(n, c, m, groups int, in, kernel, strides, dilations, pads []int) (*Geometry, error) {
	rank := len(in)
	g := &Geometry{
		N: n, C: c, M: m, Groups: groups,
		In: slices.Clone(in), Kernel: slices.Clone(kernel),
		Strides: orDefault(strides, rank, 1), Dilations: orDefault(dilations, rank, 1), Pads: orDefault(pads, 2*rank, 0),
	}
	if rank == 0 {
		return nil, fmt.Errorf("convolution needs a spatial axis")
	}
	if len(g.Kernel) != rank || len(g.Strides) != rank || len(g.Dilations) != rank || len(g.Pads) != 2*rank {
		return nil, fmt.Errorf("kernel, strides, dilations and pads have %d, %d, %d and %d entries for %d spatial axes",
			len(g.Kernel), len(g.Strides), len(g.Dilations), len(g.Pads), rank)
	}
	if groups < 1 || n < 0 || c < 0 || m < 0 || c%groups != 0 || m%groups != 0 {
		return nil, fmt.Errorf("%d images of %d channels cannot give %d channels in %d groups", n, c, m, groups)
	}
	for axis := range rank {
		out, err := g.window(axis)
		if err != nil {
			return nil, err
		}
		g.Out = append(g.Out, out)
	}
	return g, g.checkProducts()
}

func orDefault(s []int, n, value int) []int {
	if s != nil {
		return slices.Clone(s)
	}
	return slices.Repeat([]int{value}, n)
}

// limit keeps every size and every sum of a few sizes within an int32.
const limit = math.MaxInt32 / 4

// window returns the output size along one axis.
func (g *Geometry) window(axis int) (int, error) {
	in, k, s, d := g.In[axis], g.Kernel[axis], g.Strides[axis], g.Dilations[axis]
	before, behind := g.Pads[axis], g.Pads[len(g.In)+axis]
	for _, v := range []int{in, k, s, d, before, behind} {
		if v < 0 || v > limit {
			return 0, fmt.Errorf("spatial axis %d: size %d, kernel %d, stride %d, dilation %d, pads %d and %d: out of range", axis, in, k, s, d, before, behind)
		}
	}
	if k == 0 || s == 0 || d == 0 {
		return 0, fmt.Errorf("spatial axis %d: kernel %d, stride %d, dilation %d: must be positive", axis, k, s, d)
	}
	span := int64(d)*int64(k-1) + 1
	room := int64(in) + int64(before) + int64(behind)
	if room < span {
		return 0, fmt.Errorf("spatial axis %d: a kernel that spans %d does not fit into %d", axis, span, room)
	}
	return int((room-span)/int64(s)) + 1, nil
}

// checkProducts makes sure that no count of elements overflows.
func (g *Geometry) checkProducts() error {
	padded := make([]int, len(g.In))
	for i, n := range g.In {
		padded[i] = n + g.Pads[i] + g.Pads[len(g.In)+i] + g.Strides[i]
	}
	for _, sizes := range [][]int{
		append([]int{4, g.N, g.C}, padded...),
		append([]int{4, g.N, g.M}, g.Out...),
		append([]int{4, g.M, g.C}, g.Kernel...),
		append(append([]int{g.C}, g.Kernel...), g.Out...),
	} {
		if !fits(sizes) {
			return fmt.Errorf("convolution of %d x %d channels over %v by %v has too many elements", g.N, g.C, g.In, g.Kernel)
		}
	}
	return nil
}

// fits tells whether the product of sizes, with room for a factor of 16, is
// an int. Sizes of 0 count as 1, so that partial products fit as well.
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

// ImageIn counts the elements of an input image.
func (g *Geometry) ImageIn() int { return g.C * product(g.In) }

// ImageOut counts the elements of an output image.
func (g *Geometry) ImageOut() int { return g.M * g.Pixels() }

// Taps counts the elements of a kernel.
func (g *Geometry) Taps() int { return product(g.Kernel) }

// Pixels counts the elements of an output channel.
func (g *Geometry) Pixels() int { return product(g.Out) }

// Weights counts the weights.
func (g *Geometry) Weights() int { return g.M * (g.C / g.Groups) * g.Taps() }

func product(sizes []int) int {
	n := 1
	for _, s := range sizes {
		n *= s
	}
	return n
}

// simplify drops axes that do nothing, and makes one long row of an image
// whose pixels are all treated alone.
func (g *Geometry) simplify() *Geometry {
	s := &Geometry{N: g.N, C: g.C, M: g.M, Groups: g.Groups}
	rank := len(g.In)
	var behind []int
	alone := true
	for i := range rank {
		pads := g.Pads[i] + g.Pads[rank+i]
		if g.In[i] == 1 && g.Out[i] == 1 && g.Kernel[i] == 1 && pads == 0 {
			continue
		}
		alone = alone && g.Kernel[i] == 1 && g.Strides[i] == 1 && pads == 0
		s.In, s.Out, s.Kernel = append(s.In, g.In[i]), append(s.Out, g.Out[i]), append(s.Kernel, g.Kernel[i])
		s.Strides, s.Dilations = append(s.Strides, g.Strides[i]), append(s.Dilations, g.Dilations[i])
		s.Pads, behind = append(s.Pads, g.Pads[i]), append(behind, g.Pads[rank+i])
	}
	s.Pads = append(s.Pads, behind...)
	if alone {
		n := product(s.In)
		s.In, s.Out, s.Kernel, s.Strides, s.Dilations, s.Pads = []int{n}, []int{n}, []int{1}, []int{1}, []int{1}, []int{0, 0}
	}
	return s
}
