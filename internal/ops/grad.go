package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Sum adds two gradients.
func Sum(b *onnx.Builder, x, y *onnx.Value) *onnx.Value { return b.Op("Add", values{x, y}) }

// Zeros is a value of zeros with the shape and element type of like.
func Zeros(b *onnx.Builder, like *onnx.Value) *onnx.Value {
	return b.Private("ZerosLike", values{like})
}

// Ones is a value of ones with the shape and element type of like.
func Ones(b *onnx.Builder, like *onnx.Value) *onnx.Value {
	return b.Op("Add", values{Zeros(b, like), number(b, like, 1)})
}

// sumTo emits the reduction that undoes the broadcasting of x to the shape of dy; nothing where the types say that there
// was none.
func sumTo(c *opdef.Grad, dy, x *onnx.Value) *onnx.Value {
	if sameShape(dy.Type, x.Type) {
		return dy
	}
	return c.Private("SumTo", values{dy, x})
}

// sameShape reports whether both shapes are known to be equal.
func sameShape(a, b onnx.Type) bool {
	if !a.Ranked || !b.Ranked || len(a.Shape) != len(b.Shape) {
		return false
	}
	for i, d := range a.Shape {
		if !d.Same(b.Shape[i]) {
			return false
		}
	}
	return true
}

// number is a constant of rank 0 with the element type of like.
func number(b *onnx.Builder, like *onnx.Value, v float64) *onnx.Value {
	switch e := like.Type.Elem; e {
	case onnx.Float32:
		return b.Const(onnx.Scalar(float32(v)))
	case onnx.Float64:
		return b.Const(onnx.Scalar(v))
	case onnx.Float16:
		return b.Const(onnx.Scalar(onnx.NewF16(float32(v))))
	case onnx.BFloat16:
		return b.Const(onnx.Scalar(onnx.NewBF16(float32(v))))
	default:
		b.Fail(onnx.Internalf("a gradient needs a number of type %v", e))
		return b.Const(onnx.Scalar(float32(v)))
	}
}

// formula writes gradients briefly: its methods emit the operator of their name.
type formula struct{ *opdef.Grad }

func (f formula) num(v float64) *onnx.Value        { return number(f.Builder, f.In(0), v) }
func (f formula) add(a, b *onnx.Value) *onnx.Value { return f.Op("Add", values{a, b}) }
func (f formula) sub(a, b *onnx.Value) *onnx.Value { return f.Op("Sub", values{a, b}) }
func (f formula) mul(a, b *onnx.Value) *onnx.Value { return f.Op("Mul", values{a, b}) }
func (f formula) div(a, b *onnx.Value) *onnx.Value { return f.Op("Div", values{a, b}) }
func (f formula) square(a *onnx.Value) *onnx.Value { return f.mul(a, a) }
func (f formula) one(op string, a *onnx.Value, attrs ...onnx.Attribute) *onnx.Value {
	return f.Op(op, values{a}, attrs...)
}

func (f formula) where(cond, a, b *onnx.Value) *onnx.Value {
	return f.Op("Where", values{cond, a, b})
}
func (f formula) test(op string, a, b *onnx.Value) *onnx.Value { return f.Op(op, values{a, b}) }

// times is the Grad of y = g(x) with dx = dy * d, where d is made of x and y.
func times(d func(f formula, x, y *onnx.Value) *onnx.Value) func(*opdef.Grad) error {
	return func(c *opdef.Grad) error {
		f := formula{c}
		c.SetDX(0, f.mul(c.DY(0), d(f, c.In(0), c.Y(0))))
		return nil
	}
}
