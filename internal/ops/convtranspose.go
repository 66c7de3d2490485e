package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ConvTranspose: the gradient of Conv with respect to its image, as an operator of its own: each input is multiplied by the
// kernel and added into the output, stride apart. W is [C, M/group, kernel...].
//
// Opset 11, 22: types and wording. An output_shape that needs more than the full output gets zeros behind it. float16 and
// bfloat16 are computed in float32.
var opConvTranspose = opdef.Def{
	Type:    "ConvTranspose",
	Infer:   inferConvTranspose,
	Compile: floatKernel(0, convTransposeStep[float32], convTransposeStep[float64]),
	Grad: func(c *opdef.Grad) error {
		var attrs []onnx.Attribute
		for _, name := range []string{"output_padding", "output_shape"} {
			if a := c.Node.Attr(name); a != nil {
				attrs = append(attrs, *a)
			}
		}
		attrs = append(attrs, convAttributes(c.Node)...)
		if c.Needs(0) {
			c.SetDX(0, c.Private("ConvTransposeDataGrad", values{c.DY(0), c.In(1), c.In(0)}, attrs...))
		}
		if c.Needs(1) {
			c.SetDX(1, c.Private("ConvTransposeWeightGrad", values{c.In(0), c.DY(0), c.In(1)}, attrs...))
		}
		if c.Needs(2) {
			c.SetDX(2, c.Private("ChannelSum", values{c.DY(0)}))
		}
		return nil
	},
}

// transposedWindow is the window of a ConvTranspose and what is added to its output sizes.
type transposedWindow struct {
	*opdef.Window
	extra []int // output_padding
	shape []int // output_shape; nil when not given
}

func transposedWindowOf(n *onnx.Node, rank int, kernel []int) (*transposedWindow, error) {
	w, err := opdef.WindowOf(n, rank, kernel)
	if err != nil {
		return nil, err
	}
	t := &transposedWindow{Window: w, extra: make([]int, rank)}
	list := func(name string) ([]int, error) {
		given, ok := n.Ints(name)
		if !ok {
			return nil, nil
		}
		if len(given) == rank+2 && name == "output_shape" {
			given = given[2:] // with batch and channels, as old exporters write it
		}
		out := make([]int, rank)
		for i, v := range given {
			if len(given) != rank || v < 0 || v > 1<<29 {
				return nil, onnx.Invalidf("attribute %s: expected %d sizes, received %v", name, rank, given)
			}
			out[i] = int(v)
		}
		return out, nil
	}
	extra, err := list("output_padding")
	if err != nil {
		return nil, err
	}
	if extra != nil {
		t.extra = extra
	}
	t.shape, err = list("output_shape")
	return t, err
}

// full is the size of an axis before anything is cut off, without output_padding.
func (w *transposedWindow) full(axis, in int) (int, error) {
	span := w.Dilations[axis]*(w.Kernel[axis]-1) + 1
	n := int64(max(in-1, 0))*int64(w.Strides[axis]) + int64(span)
	if n > 1<<29 {
		return 0, onnx.Invalidf("spatial axis %d: size %d is too large", axis, n)
	}
	if in == 0 {
		return 0, nil
	}
	return int(n), nil
}

// place is the output size of an axis and what is cut off before its first element.
func (w *transposedWindow) place(axis, in int) (out, before int, err error) {
	full, err := w.full(axis, in)
	if err != nil {
		return 0, 0, err
	}
	full += w.extra[axis]
	switch {
	case w.shape != nil:
		out = w.shape[axis]
	case w.Auto == opdef.SameUpper || w.Auto == opdef.SameLower:
		if out = in * w.Strides[axis]; int64(in)*int64(w.Strides[axis]) > 1<<29 {
			return 0, 0, onnx.Invalidf("spatial axis %d: size %d is too large", axis, in)
		}
	default:
		if w.Auto == opdef.NotSet {
			before = w.Pads[axis]
			full -= before + w.Pads[len(w.Kernel)+axis]
		}
		if full < 0 {
			return 0, 0, onnx.Invalidf("spatial axis %d: pads cut off more than there is of size %d", axis, in)
		}
		return full, before, nil
	}
	total := max(full-out, 0) // what lacks are zeros behind
	if before = total / 2; w.Auto != opdef.SameUpper {
		before = total - total/2
	}
	return out, before, nil
}

func inferConvTranspose(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	x, err := c.Shape(0)
	if err != nil {
		return err
	}
	w, err := c.Shape(1)
	if err != nil {
		return err
	}
	if len(x) < 3 || len(w) != len(x) {
		return onnx.Invalidf("expected an image of rank 3 or more and weights of the same rank, received %v and %v", c.Ins[0], c.Ins[1])
	}
	groups := c.Node.Int("group", 1)
	if groups < 1 || x[1].IsFixed() && x[1].N%groups != 0 {
		return onnx.Invalidf("%v channels cannot be in %d groups", x[1], groups)
	}
	if x[1].IsFixed() && w[0].IsFixed() && x[1] != w[0] {
		return onnx.Invalidf("%v channels do not fit weights of %v", x[1], c.Ins[1])
	}
	out := []onnx.Dim{x[0], mulDims(w[1], onnx.Fixed(int(groups)))}
	if b, err := c.Shape(2); c.Has(2) && err == nil && (len(b) != 1 || b[0].IsFixed() && out[1].IsFixed() && b[0] != out[1]) {
		return onnx.Invalidf("expected a bias of %v elements, received %v", out[1], c.Ins[2])
	}
	out = append(out, unknownDims(len(x)-2)...)
	kernel, known := fixedSizes(w[2:])
	if _, given := c.Node.Ints("kernel_shape"); known || given {
		t, err := transposedWindowOf(c.Node, len(x)-2, kernel)
		if err != nil {
			return err
		}
		for i, d := range x[2:] {
			switch {
			case d.IsFixed() && d.N <= 1<<29:
				n, _, err := t.place(i, int(d.N))
				if err != nil {
					return err
				}
				out[2+i] = onnx.Fixed(n)
			case t.shape != nil:
				out[2+i] = onnx.Fixed(t.shape[i])
			}
		}
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

// transposedConv is what the steps of a ConvTranspose and of its gradients share: the plan of the convolution whose image is the
// output y, made anew when sizes change.
type transposedConv[T gemm.Float] struct {
	node      *onnx.Node
	table     *gemm.Table[T]
	x, w      []int
	plan      *conv.Plan[T]
	geometry  *conv.Geometry
	y, before []int // spatial sizes of the output, and how much of the plan's image is before it
	direct    bool  // the plan's image is the output
}

// of makes the plan for an input and weights of the given shapes.
func (s *transposedConv[T]) of(x, w []int) error {
	if s.plan != nil && slices.Equal(s.x, x) && slices.Equal(s.w, w) {
		return nil
	}
	if len(x) < 3 || len(w) != len(x) {
		return onnx.Invalidf("expected an image of rank 3 or more and weights of the same rank, received %v and %v", x, w)
	}
	t, err := transposedWindowOf(s.node, len(x)-2, w[2:])
	if err != nil {
		return err
	}
	groups := int(min(s.node.Int("group", 1), 1<<30))
	if x[1] != w[0] || groups < 1 || !slices.Equal(t.Kernel, w[2:]) {
		return onnx.Invalidf("an image of shape %v does not fit weights of shape %v", x, w)
	}
	channels, ok := onnx.MulSize(w[1], groups)
	if !ok {
		return onnx.Invalidf("weights of shape %v in %d groups are too large", w, groups)
	}
	rank := len(x) - 2
	full, pads := make([]int, rank), make([]int, 2*rank)
	s.y, s.before, s.direct = make([]int, rank), make([]int, rank), true
	for i := range rank {
		if s.y[i], s.before[i], err = t.place(i, x[2+i]); err != nil {
			return err
		}
		if full[i], err = t.full(i, x[2+i]); err != nil {
			return err
		}
		after := full[i] - s.before[i] - s.y[i]
		pads[i], pads[rank+i] = s.before[i], max(after, 0)
		s.direct = s.direct && after > -t.Strides[i] && x[2+i] > 0
	}
	image := s.y
	if !s.direct {
		image, pads = full, make([]int, 2*rank)
	}
	g, err := conv.NewGeometry(x[0], channels, x[1], groups, image, w[2:], t.Strides, t.Dilations, pads)
	if err == nil && !slices.Equal(g.Out, x[2:]) && product(x) > 0 {
		err = onnx.Internalf("a transposed convolution of %v came out as %v", x, g.Out)
	}
	if err != nil {
		return onnx.Invalidf("%w", err)
	}
	s.plan, s.geometry, s.x, s.w = conv.NewPlan(s.table, g), g, slices.Clone(x), slices.Clone(w)
	return nil
}

// images is the elements of the plan's image that must be kept beside the output.
func (s *transposedConv[T]) images() int {
	if s.direct {
		return 0
	}
	return s.geometry.N * s.geometry.ImageIn()
}

// move copies between the plan's image and the output, where both have an element; the rest of the target is zero.
func (s *transposedConv[T]) move(dst, src []T, toOutput bool) {
	clear(dst)
	rank := len(s.y)
	from, to := s.geometry.In, s.y
	shift := slices.Clone(s.before) // of a place in the source against the one in the target
	if !toOutput {
		from, to = to, from
		for i := range shift {
			shift[i] = -shift[i]
		}
	}
	srcSize, dstSize := product(from), product(to)
	if srcSize == 0 || dstSize == 0 {
		return
	}
	last := rank - 1
	lo, hi := max(0, -shift[last]), min(to[last], from[last]-shift[last])
	if lo >= hi {
		return
	}
	for c := range s.geometry.N * s.geometry.C {
	rows:
		for r := range dstSize / to[last] {
			at, step, row := 0, from[last], r
			for a := last - 1; a >= 0; a-- {
				i := row%to[a] + shift[a]
				row /= to[a]
				if i < 0 || i >= from[a] {
					continue rows
				}
				at += i * step
				step *= from[a]
			}
			copy(dst[c*dstSize+r*to[last]+lo:c*dstSize+r*to[last]+hi], src[c*srcSize+at+lo+shift[last]:])
		}
	}
}

// transposedStep compiles a step of the family: x and w are the inputs with these shapes. run is given the plan's image as
// input or for output, and the scratch that is left.
func transposedStep[T gemm.Float](c *opdef.Compile, x, w int, scratch func(p *conv.Plan[T], threads int) int,
	run func(s *transposedConv[T], r *opdef.Run, image, scratch []T),
) (opdef.Step, error) {
	fresh := func() *transposedConv[T] { return &transposedConv[T]{node: c.Node, table: gemmTable[T](c.Generic)} }
	return opdef.Step{
		Scratch: func(b *opdef.Bound) int {
			s := fresh()
			if s.of(b.In[x].Shape, b.In[w].Shape) != nil {
				return 0 // Run says it
			}
			size := onnx.ElemOf[T]().Size()
			return alignUp(s.images()*size) + scratch(s.plan, max(b.Threads, 1))*size
		},
		Cost: func(b *opdef.Bound) opdef.Cost {
			s := fresh()
			if s.of(b.In[x].Shape, b.In[w].Shape) != nil {
				return opdef.Cost{}
			}
			g := s.geometry
			return opdef.Cost{FLOP: 2 * int64(g.N) * int64(g.Pixels()) * int64(g.Weights()), Bytes: allBytes(b)}
		},
		State: func() any { return fresh() },
		Run: func(r *opdef.Run) error {
			s := r.State.(*transposedConv[T])
			if err := s.of(r.In[x].Shape, r.In[w].Shape); err != nil {
				return err
			}
			size := onnx.ElemOf[T]().Size()
			n := s.images()
			at := alignUp(n * size)
			run(s, r, onnx.View[T](r.Scratch[:n*size]), onnx.View[T](r.Scratch[at:]))
			return nil
		},
	}, nil
}

func convTransposeStep[T gemm.Float](c *opdef.Compile) (opdef.Step, error) {
	return transposedStep(c, 0, 1,
		func(p *conv.Plan[T], threads int) int { return p.DataScratch(threads) },
		func(s *transposedConv[T], r *opdef.Run, image, scratch []T) {
			y := opdef.Of[T](r.Out[0])
			if s.direct {
				image = y
			}
			s.plan.BackwardData(r.Team, opdef.Of[T](r.In[0]), opdef.Of[T](r.In[1]), image, scratch)
			if !s.direct {
				s.move(y, image, true)
			}
			if b := inputOf[T](r, 2); b != nil {
				addChannels(y, b, product(s.y))
			}
		})
}

// addChannels adds b[c] to every element of channel c of y, whose channels have n elements.
func addChannels[T float](y, b []T, n int) {
	for i := range len(y) / max(1, n) {
		v := b[i%len(b)]
		row := y[i*n : (i+1)*n]
		for k := range row {
			row[k] += v
		}
	}
}
