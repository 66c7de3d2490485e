package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Shrink: y = x + bias below -lambd, x - bias above lambd, else 0. Integers are computed in float64 and truncated.
//
// It has one version, of opset 9.
var opShrink = opdef.Def{
	Type:    "Shrink",
	Infer:   opdef.SameAsFirst,
	Compile: compileShrink,
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		lambd := realAttr(f.Node, "lambd", 0.5)
		outside := f.test("Or", f.test("Less", x, f.num(-lambd)), f.test("Greater", x, f.num(lambd)))
		return f.where(outside, f.num(1), f.num(0))
	}),
}

func shrink(n *onnx.Node) func(float64) float64 {
	lambd, bias := realAttr(n, "lambd", 0.5), realAttr(n, "bias", 0)
	return func(v float64) float64 {
		switch {
		case v < -lambd:
			return v + bias
		case v > lambd:
			return v - bias
		case v != v:
			return v
		}
		return 0
	}
}

func compileShrink(c *opdef.Compile) (opdef.Step, error) {
	switch c.Elem(0) {
	case onnx.Int64:
		return pointStep(c, shrinkIntegers[int64](c.Node))
	case onnx.Int32:
		return pointStep(c, shrinkIntegers[int32](c.Node))
	case onnx.Int16:
		return pointStep(c, shrinkIntegers[int16](c.Node))
	case onnx.Int8:
		return pointStep(c, shrinkIntegers[int8](c.Node))
	case onnx.Uint64:
		return pointStep(c, shrinkIntegers[uint64](c.Node))
	case onnx.Uint32:
		return pointStep(c, shrinkIntegers[uint32](c.Node))
	case onnx.Uint16:
		return pointStep(c, shrinkIntegers[uint16](c.Node))
	case onnx.Uint8:
		return pointStep(c, shrinkIntegers[uint8](c.Node))
	}
	return activation(shrink)(c)
}

func shrinkIntegers[T int64 | int32 | int16 | int8 | uint64 | uint32 | uint16 | uint8](n *onnx.Node) func(y []T, x [][]T) {
	f := shrink(n)
	return func(y []T, x [][]T) {
		for i, v := range x[0] {
			y[i] = T(f(float64(v)))
		}
	}
}
