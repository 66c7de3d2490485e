package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/kernel/sample"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// DeformConv is Conv whose taps are moved by offsets, read between pixels linearly, zeros outside, and multiplied by a mask.
//
// Opset 19, 22: types. Images have up to maxDeformAxes axes. 16-bit types are computed in float32.
var opDeformConv = opdef.Def{
	Type:    "DeformConv",
	Infer:   inferDeformConv,
	Compile: floatKernel(0, deformStep[float32](false), deformStep[float64](false)),
	Grad: func(c *opdef.Grad) error {
		g := c.Builder.Node(onnx.Private, "DeformConvGrad", 5, values{c.In(0), c.In(1), c.In(2), c.In(3), c.In(4), c.DY(0)}, c.Node.Attrs...)
		for _, i := range []int{0, 1, 2, 4} {
			if c.In(i) != nil {
				c.SetDX(i, g.Out(i))
			}
		}
		if c.Needs(3) {
			c.SetDX(3, c.Private("ChannelSum", values{c.DY(0)}))
		}
		return nil
	},
}

// maxDeformAxes bounds the axes of images: a place has 2 to that power neighbours.
const maxDeformAxes = 6

func inferDeformConv(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	x, err := c.Shape(0)
	if err != nil {
		return err
	}
	axes := len(x) - 2
	if axes < 1 || axes > maxDeformAxes {
		return onnx.Unsupportedf("images of rank 3 to %d are supported, received %v", 2+maxDeformAxes, c.Ins[0])
	}
	w, err := c.ShapeRank(1, len(x))
	if err != nil {
		return err
	}
	out := append([]onnx.Dim{x[0], w[0]}, unknownDims(axes)...)
	kernel, known := fixedSizes(w[2:])
	if _, given := c.Node.Ints("kernel_shape"); known || given {
		window, err := opdef.WindowOf(c.Node, axes, kernel)
		if err != nil {
			return err
		}
		spatial, err := window.Out(x[2:])
		if err != nil {
			return err
		}
		copy(out[2:], spatial)
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

// deform is the state of the steps.
type deform[T gemm.Float] struct {
	table                 *gemm.Table[T]
	d                     sample.Deform[T]
	n, m, groups, inner   int // images, output channels; inner: rows of a group's columns
	x, w, offset, b, mask []T
	cols, dcols           []T
}

// sizes reads the shapes of X, W, offset, B and mask.
func (s *deform[T]) sizes(n *onnx.Node, in []opdef.View) error {
	x, w, offset := in[0].Shape, in[1].Shape, in[2].Shape
	axes := len(x) - 2
	if axes < 1 || axes > maxDeformAxes || len(w) != len(x) {
		return onnx.Unsupportedf("images and weights of one rank from 3 to %d are supported, received shapes %v and %v", 2+maxDeformAxes, x, w)
	}
	window, err := opdef.WindowOf(n, axes, w[2:])
	if err != nil {
		return err
	}
	groups, og := n.Int("group", 1), n.Int("offset_group", 1)
	if groups < 1 || groups > int64(max(x[1], 1)) || x[1] != w[1]*int(groups) || w[0]%int(groups) != 0 || og < 1 || og > int64(max(x[1], 1)) ||
		x[1]%int(og) != 0 || !slices.Equal(window.Kernel, w[2:]) {
		return onnx.Invalidf("an image of shape %v does not fit weights of shape %v in %d groups and %d groups of offsets", x, w, groups, og)
	}
	d := &s.d
	d.C, d.In, d.Kernel, d.Strides, d.Dilations = x[1], x[2:], w[2:], window.Strides, window.Dilations
	d.Out, d.Before, d.OffsetGroups = make([]int, axes), make([]int, axes), int(og)
	for a := range axes {
		if d.Out[a], d.Before[a], _, err = window.Place(a, x[2+a]); err != nil {
			return err
		}
	}
	s.n, s.m, s.groups, s.inner = x[0], w[0], int(groups), product(w[1:])
	taps := int(og) * product(w[2:])
	if want := append([]int{x[0], axes * taps}, d.Out...); !slices.Equal(offset, want) {
		return onnx.Invalidf("offset: expected shape %v, received %v", want, offset)
	}
	if got, want := shapeAt(in, 3), w[:1]; got != nil && !slices.Equal(got, want) {
		return onnx.Invalidf("B: expected shape %v, received %v", want, got)
	}
	if got, want := shapeAt(in, 4), append([]int{x[0], taps}, d.Out...); got != nil && !slices.Equal(got, want) {
		return onnx.Invalidf("mask: expected shape %v, received %v", want, got)
	}
	return nil
}

func (s *deform[T]) pixels() int  { return product(s.d.Out) }
func (s *deform[T]) columns() int { return s.d.C * product(s.d.Kernel) * s.pixels() }

// deformStep compiles DeformConv or its gradient.
func deformStep[T gemm.Float](back bool) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		table, size := gemmTable[T](c.Generic), onnx.ElemOf[T]().Size()
		return opdef.Step{
			Scratch: func(b *opdef.Bound) int {
				s := &deform[T]{}
				if s.sizes(c.Node, b.In[:min(5, len(b.In))]) != nil {
					return 0 // Run says it
				}
				n := alignUp(s.columns() * size)
				if back {
					n *= 2
				}
				return n
			},
			State: func() any { return &deform[T]{table: table} },
			Run: func(r *opdef.Run) error {
				s := r.State.(*deform[T])
				if err := s.sizes(r.Node, r.In[:min(5, len(r.In))]); err != nil {
					return err
				}
				s.x, s.w, s.offset, s.b, s.mask = inputOf[T](r, 0), inputOf[T](r, 1), inputOf[T](r, 2), inputOf[T](r, 3), inputOf[T](r, 4)
				n := s.columns() * size
				if s.cols = onnx.View[T](r.Scratch[:n]); back {
					s.dcols = onnx.View[T](r.Scratch[alignUp(n):][:n])
					s.backward(r)
				} else {
					s.forward(r)
				}
				return nil
			},
		}, nil
	}
}

// image points the kernel at image i.
func (s *deform[T]) image(i int) {
	part := func(x []T) []T {
		if x == nil {
			return nil
		}
		each := len(x) / s.n
		return x[i*each : (i+1)*each]
	}
	s.d.Image, s.d.Offset, s.d.Mask, s.d.Cols = part(s.x), part(s.offset), part(s.mask), s.cols
}

func (s *deform[T]) mul(r *opdef.Run, m, n, k int, a, b gemm.Operand[T], c []T, e gemm.Epilogue[T]) {
	if m > 0 && n > 0 {
		gemm.Mul(s.table, r.Team, m, n, k, a, b, c, n, e, nil)
	}
}

func (s *deform[T]) forward(r *opdef.Run) {
	y, rows, p := opdef.Of[T](r.Out[0]), s.m/s.groups, s.pixels()
	for i := range s.n {
		s.image(i)
		s.d.Columns(r.Team)
		for g := range s.groups {
			e := gemm.Epilogue[T]{}
			if s.b != nil {
				e = gemm.Epilogue[T]{Start: gemm.FromRowBias, Bias: s.b[g*rows : (g+1)*rows]}
			}
			s.mul(r, rows, p, s.inner, gemm.Operand[T]{Data: s.w[g*rows*s.inner:], Stride: s.inner},
				gemm.Operand[T]{Data: s.cols[g*s.inner*p:], Stride: max(p, 1)}, y[(i*s.m+g*rows)*p:], e)
		}
	}
}

// backward: with Y = W·cols, dcols = Wᵀ·dY and dW = dY·colsᵀ; the rest is the kernel's.
func (s *deform[T]) backward(r *opdef.Run) {
	dy, rows, p := opdef.Of[T](r.In[5]), s.m/s.groups, s.pixels()
	dx, dw, dOffset, dMask := outOf[T](r, 0), outOf[T](r, 1), outOf[T](r, 2), outOf[T](r, 4)
	clear(dx)
	clear(dw)
	for i := range s.n {
		s.image(i)
		s.d.Columns(r.Team)
		for g := range s.groups {
			d := dy[(i*s.m+g*rows)*p:]
			s.mul(r, s.inner, p, rows, gemm.Operand[T]{Data: s.w[g*rows*s.inner:], Stride: s.inner, Trans: true},
				gemm.Operand[T]{Data: d, Stride: max(p, 1)}, s.dcols[g*s.inner*p:], gemm.Epilogue[T]{})
			s.mul(r, rows, s.inner, p, gemm.Operand[T]{Data: d, Stride: max(p, 1)},
				gemm.Operand[T]{Data: s.cols[g*s.inner*p:], Stride: max(p, 1), Trans: true}, dw[g*rows*s.inner:], gemm.Epilogue[T]{Start: gemm.FromC})
		}
		part := func(x []T) []T { return x[i*(len(x)/s.n) : (i+1)*(len(x)/s.n)] }
		s.d.DCols, s.d.DImage, s.d.DOffset, s.d.DMask = s.dcols, part(dx), part(dOffset), nil
		if s.mask != nil {
			s.d.DMask = part(dMask)
		}
		s.d.Back(r.Team)
	}
}
