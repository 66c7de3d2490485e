package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Expand repeats a tensor as broadcasting with the given shape does; a size of 1 in that shape keeps the input's. Versions
// differ in types only.
var opExpand = opdef.Def{
	Type:    "Expand",
	Infer:   inferExpand,
	Compile: moving(runExpand),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, sumTo(c, c.DY(0), c.In(0)))
		return nil
	},
}

func inferExpand(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	to, ok := c.Ints(1)
	if !ok {
		if n, ok := lengthOf(c, 1); ok {
			c.Set(0, c.Elem(0), unknownDims(max(n, len(x)))...)
			return nil
		}
		return setElem(c, 0, c.Elem(0), opdef.ErrNoRank)
	}
	for _, d := range to {
		if known(d) && d.N < 0 {
			return onnx.Invalidf("shape %v has a negative size", to)
		}
	}
	out, err := opdef.Broadcast(x, to)
	if err != nil { // the run says so, if it comes to that
		out = append(append([]onnx.Dim{}, x[:max(len(x)-len(to), 0)]...), to...)
	}
	c.Set(0, c.Elem(0), out...)
	if v, ok := c.Ints(0); ok && len(v) == 1 && isShapeInt(c.Elem(0)) && len(out) <= 1 && numel(out).IsFixed() && numel(out).N <= maxFollowed {
		c.SetInts(0, slices.Repeat(v[:1], int(numel(out).N)))
	}
	return nil
}

// maxFollowed is the length of the longest list whose contents inference follows.
const maxFollowed = 1024

func runExpand(m *mover) error {
	want, err := m.list(1)
	if err != nil {
		return err
	}
	sizes, err := m.sizes(want)
	if err != nil {
		return err
	}
	shape := m.shape(0)
	to := m.take(max(len(shape), len(sizes)))
	for i := range to {
		to[i] = 1
	}
	copy(to[len(to)-len(sizes):], sizes)
	off := len(to) - len(shape)
	from, n := m.take(len(to)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		o := &to[off+i]
		switch {
		case *o == 1:
			*o = shape[i]
		case shape[i] != 1 && *o != shape[i]:
			return onnx.Invalidf("shape %v does not broadcast to %v", shape, slices.Clone(sizes))
		}
		if shape[i] != 1 {
			from[off+i] = n
		}
		n *= shape[i]
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, to)
	if err != nil {
		return err
	}
	m.strided(y, region{0, m.rowMajor(to)}, x, region{0, from}, to)
	return nil
}
