package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// whole64 emits v, one integer, as int64 of rank 1.
func whole64(b *onnx.Builder, v *onnx.Value) *onnx.Value {
	v = b.Op("Cast", values{v}, onnx.Int("to", int64(onnx.Int64)))
	return b.Op("Reshape", values{v, b.Const(onnx.Vector[int64](-1))})
}

// cutOrFill emits v cut or filled up with zeros from the size from to the size to, lists of one entry, along axis.
func cutOrFill(b *onnx.Builder, v, from, to, axis *onnx.Value) *onnx.Value {
	pads := b.Op("Concat", values{b.Const(onnx.Vector[int64](0)), b.Op("Sub", values{to, from})}, onnx.Int("axis", 0))
	return b.Op("Pad", values{v, pads, nil, axis})
}

// adjointDFT emits what the transform of length n along axis turns dy into when its matrix is transposed: the inverse
// transform times n, or the forward one divided by n. The last axis is cut to the size of like's.
func adjointDFT(b *onnx.Builder, dy, n, axis, like *onnx.Value, inverse bool) *onnx.Value {
	op, back := "Mul", int64(1)
	if inverse {
		op, back = "Div", 0
	}
	d := b.Op("DFT", values{dy, n, axis}, onnx.Int("inverse", back))
	d = b.Op(op, values{d, b.Op("Cast", values{n}, onnx.Int("to", int64(dy.Type.Elem)))})
	last := b.Op("Shape", values{like}, onnx.Int("start", -1))
	return b.Op("Slice", values{d, b.Const(onnx.Vector[int64](0)), last, b.Const(onnx.Vector[int64](-1))})
}

func gradDFT(c *opdef.Grad) error {
	inverse := c.Node.Int("inverse", 0) != 0
	b, axis := c.Builder, c.In(2)
	if axis == nil {
		axis = b.Const(onnx.Scalar[int64](-2))
	}
	list := whole64(b, axis)
	size := b.Op("Gather", values{shapeOf(b, c.In(0)), list})
	n, oneSided := size, c.Node.Int("onesided", 0) != 0
	switch {
	case c.In(1) != nil:
		n = whole64(b, c.In(1))
	case inverse && oneSided:
		n = b.Op("Mul", values{b.Op("Sub", values{size, b.Const(onnx.Vector[int64](1))}), b.Const(onnx.Vector[int64](2))})
	}
	if inverse && oneSided {
		c.SetDX(0, adjointOneSided(b, c.DY(0), c.In(0), n, axis, size))
		return b.Err()
	}
	d := adjointDFT(b, c.DY(0), n, axis, c.In(0), inverse)
	if c.In(1) != nil {
		d = cutOrFill(b, d, n, size, list)
	}
	c.SetDX(0, d)
	return b.Err()
}

// adjointOneSided emits the gradient of the inverse transform of length n from the first half of the frequencies, n/2 + 1 of
// them, of which x has size: the forward transform of dy divided by n, twice for frequencies that stand for two.
func adjointOneSided(b *onnx.Builder, dy, x, n, axis, size *onnx.Value) *onnx.Value {
	ints := func(v ...int64) *onnx.Value { return b.Const(onnx.Vector(v...)) }
	list, e := whole64(b, axis), dy.Type.Elem
	d := b.Op("DFT", values{dy, n, axis}, onnx.Int("onesided", 1))
	half := b.Op("Gather", values{shapeOf(b, d), list})
	k := b.Op("Range", values{b.Const(onnx.Scalar[int64](0)), b.Op("Squeeze", values{half}), b.Const(onnx.Scalar[int64](1))})
	double := b.Op("Mul", values{k, ints(2)})
	alone := b.Op("Or", values{b.Op("Equal", values{k, ints(0)}), b.Op("Equal", values{double, n})})
	factor := b.Op("Where", values{alone, number(b, dy, 1), number(b, dy, 2)})
	factor = b.Op("Div", values{factor, b.Op("Cast", values{n}, onnx.Int("to", int64(e)))})
	ones := b.Op("ConstantOfShape", values{shapeOf(b, shapeOf(b, d))}, onnx.TensorAttr("value", onnx.Vector[int64](1)))
	along := b.Op("ScatterElements", values{ones, list, half})
	d = b.Op("Mul", values{d, b.Op("Reshape", values{factor, along})})
	last := b.Op("Shape", values{x}, onnx.Int("start", -1))
	d = b.Op("Slice", values{d, ints(0), last, ints(-1)})
	return cutOrFill(b, d, half, size, list)
}

// gradSTFT: the adjoint of the transform, times the window, added up where frames overlap.
func gradSTFT(c *opdef.Grad) error {
	b, x, window := c.Builder, c.In(0), c.In(2)
	from := func(v *onnx.Value, axis int64) *onnx.Value {
		return b.Op("Shape", values{v}, onnx.Int("start", axis), onnx.Int("end", axis+1))
	}
	n := from(x, 1)
	switch {
	case c.In(3) != nil:
		n = whole64(b, c.In(3))
	case window != nil:
		n = from(window, 0)
	}
	zero, one := b.Const(onnx.Scalar[int64](0)), b.Const(onnx.Scalar[int64](1))
	count := func(v *onnx.Value) *onnx.Value {
		return b.Op("Range", values{zero, b.Op("Squeeze", values{v}), one})
	}
	starts := b.Op("Mul", values{count(from(c.DY(0), 1)), whole64(b, c.In(1))})
	at := b.Op("Add", values{b.Op("Unsqueeze", values{starts, b.Const(onnx.Vector[int64](1))}), count(n)})
	d := adjointDFT(b, c.DY(0), n, b.Const(onnx.Scalar[int64](2)), x, false)
	if window != nil {
		axis := b.Const(onnx.Vector[int64](0))
		if c.Needs(2) {
			frames := b.Op("Gather", values{x, at}, onnx.Int("axis", 1))
			dw := b.Op("ReduceSum", values{b.Op("Mul", values{frames, d}), b.Const(onnx.Vector[int64](0, 1, 3))}, onnx.Int("keepdims", 0))
			c.SetDX(2, cutOrFill(b, dw, n, from(window, 0), axis))
		}
		w := cutOrFill(b, window, from(window, 0), n, axis)
		d = b.Op("Mul", values{d, b.Op("Unsqueeze", values{w, b.Const(onnx.Vector[int64](1))})})
	}
	c.SetDX(0, b.Private("GatherGrad", values{x, at, d}, onnx.Int("axis", 1)))
	return b.Err()
}
