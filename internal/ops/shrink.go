package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Shrink: y = x + bias for x below -lambd, x - bias for x above lambd, else 0. Integers are computed in float64 and cut.
var opShrink = opdef.Def{
	Type:    "Shrink",
	Infer:   opdef.SameAsFirst,
	Compile: compileShrink,
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		lambd := f.num(realAttr(f.Node, "lambd", 0.5))
		return f.where(f.test("Greater", f.one("Abs", x), lambd), f.num(1), f.num(0))
	}),
}

func compileShrink(c *opdef.Compile) (opdef.Step, error) {
	switch c.Elem(0) {
	case onnx.Float32:
		return pointStep(c, shrinkFloats[float32](c.Node))
	case onnx.Float64:
		return pointStep(c, shrinkFloats[float64](c.Node))
	case onnx.Float16, onnx.BFloat16:
		return halfStep(c, shrinkFloats[float32](c.Node))
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
	return opdef.Step{}, badElem(c.Elem(0))
}

// shrinkOf is the function that the attributes of n make.
func shrinkOf(n *onnx.Node) func(float64) float64 {
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

func shrinkFloats[T float](n *onnx.Node) func(y []T, x [][]T) {
	f := shrinkOf(n)
	return func(y []T, x [][]T) {
		for i, v := range x[0] {
			y[i] = T(f(float64(v)))
		}
	}
}

func shrinkIntegers[T whole](n *onnx.Node) func(y []T, x [][]T) {
	f := shrinkOf(n)
	return func(y []T, x [][]T) {
		for i, v := range x[0] {
			y[i] = T(truncate(f(float64(v))))
		}
	}
}
