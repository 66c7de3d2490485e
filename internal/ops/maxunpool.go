package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// MaxUnpool: puts each element of X back to the place that the output Indices of MaxPool names; the rest is zero. The indices
// count in the tensor whose sizes follow from X and the window; with output_shape that tensor is the corner of a larger one.
//
// Opset 11, 22: types and wording.
var opMaxUnpool = opdef.Def{
	Type:    "MaxUnpool",
	Infer:   inferMaxUnpool,
	Compile: moving(func(m *mover) error { return runUnpool(m, false) }),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("MaxUnpoolGrad", values{c.DY(0), c.In(1)}, c.Node.Attrs...))
		return nil
	},
}

// unpooled is the spatial dims that the window makes of x's.
func unpooled(n *onnx.Node, x []onnx.Dim) ([]onnx.Dim, error) {
	w, err := opdef.WindowOf(n, len(x), nil)
	if err != nil {
		return nil, err
	}
	out := unknownDims(len(x))
	for i, d := range x {
		if !d.IsFixed() {
			continue
		}
		if d.N > 1<<29 {
			return nil, onnx.Invalidf("spatial axis %d: size %d is too large", i, d.N)
		}
		size := (d.N-1)*int64(w.Strides[i]) + int64(w.Kernel[i]) - int64(w.Pads[i]) - int64(w.Pads[len(x)+i])
		if size < 0 || size > 1<<29 {
			return nil, onnx.Invalidf("spatial axis %d: a window on size %d gives %d", i, d.N, size)
		}
		out[i] = onnx.Fixed(int(size))
	}
	return out, nil
}

func inferMaxUnpool(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	x, err := c.Shape(0)
	if err != nil {
		return err
	}
	if len(x) < 3 {
		return onnx.Invalidf("expected an image of rank 3 or more, received %v", c.Ins[0])
	}
	spatial, err := unpooled(c.Node, x[2:])
	if err != nil {
		return err
	}
	out := append([]onnx.Dim{x[0], x[1]}, spatial...)
	if c.Has(2) {
		out = unknownDims(len(x))
		if given, ok := c.Ints(2); ok {
			if len(given) != len(x) {
				return onnx.Invalidf("output_shape: expected %d sizes, received %d", len(x), len(given))
			}
			for i, d := range given {
				out[i] = sizeDim(d)
			}
		}
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

// runUnpool moves the elements of X to the output, or those of the output's gradient back.
func runUnpool(m *mover, back bool) error {
	pooled := m.shape(0)
	if back {
		pooled = m.shape(1)
	}
	if len(pooled) < 3 || len(m.shape(0)) != len(pooled) || !slices.Equal(m.shape(1), pooled) {
		return onnx.Invalidf("expected an image of rank 3 or more and indices of its shape, received %v and %v", m.shape(0), m.shape(1))
	}
	dims := make([]onnx.Dim, len(pooled))
	for i, n := range pooled {
		dims[i] = onnx.Fixed(n)
	}
	spatial, err := unpooled(m.Node, dims[2:])
	if err != nil {
		return err
	}
	inner := append(m.take(0), pooled[:2]...)
	for _, d := range spatial {
		inner = append(inner, int(d.N))
	}
	outer := inner
	switch {
	case back:
		outer = m.shape(0)
	case m.Has(2):
		list, err := m.list(2)
		if err != nil {
			return err
		}
		if outer, err = m.sizes(list); err != nil {
			return err
		}
	}
	if len(outer) != len(inner) {
		return onnx.Invalidf("output_shape: expected %d sizes, received %v", len(inner), slices.Clone(outer))
	}
	for i, n := range inner {
		if outer[i] < n {
			return onnx.Invalidf("an output of shape %v has no room for %v", slices.Clone(outer), inner)
		}
	}
	indices, err := integersOf(m.In[1])
	if err != nil {
		return err
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	to := outer
	if back {
		to = pooled
	}
	y, err := m.output(0, m.In[0].Elem, to)
	if err != nil {
		return err
	}
	y.fill(array{})
	total := product(inner)
	for i := range product(pooled) {
		at, err := indices.index(i, total)
		if err != nil {
			return err
		}
		if at = relocate(at, inner, outer); back {
			y.from(i, x, at, 1)
		} else {
			y.from(at, x, i, 1)
		}
	}
	return nil
}

// relocate is the place in a tensor of shape outer of element at of its corner of shape inner.
func relocate(at int, inner, outer []int) int {
	to, step := 0, 1
	for a := len(inner) - 1; a >= 0; a-- {
		to += at % inner[a] * step
		at /= inner[a]
		step *= outer[a]
	}
	return to
}
