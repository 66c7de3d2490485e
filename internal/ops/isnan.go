package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// IsNaN: whether each element is NaN.
//
// Opset 9: new. 13, 20: types.
var opIsNaN = opdef.Def{
	Type:    "IsNaN",
	Infer:   inferTruth,
	Compile: func(c *opdef.Compile) (opdef.Step, error) { return classify(c, math.IsNaN) },
	Grad:    opdef.ZeroGrad,
}

// classify compiles a question about each element of any floating-point type.
func classify(c *opdef.Compile, f func(float64) bool) (opdef.Step, error) {
	switch c.Elem(0) {
	case onnx.Float32:
		return pointStep(c, question(f, func(v float32) float64 { return float64(v) }))
	case onnx.Float64:
		return pointStep(c, question(f, func(v float64) float64 { return v }))
	case onnx.Float16, onnx.BFloat16:
		return halfStep(c, question(f, func(v float32) float64 { return float64(v) }))
	case onnx.Float8E4M3FN:
		return pointStep(c, question(f, func(v onnx.F8E4M3FN) float64 { return float64(v.Float32()) }))
	case onnx.Float8E4M3FNUZ:
		return pointStep(c, question(f, func(v onnx.F8E4M3FNUZ) float64 { return float64(v.Float32()) }))
	case onnx.Float8E5M2:
		return pointStep(c, question(f, func(v onnx.F8E5M2) float64 { return float64(v.Float32()) }))
	case onnx.Float8E5M2FNUZ:
		return pointStep(c, question(f, func(v onnx.F8E5M2FNUZ) float64 { return float64(v.Float32()) }))
	case onnx.Float8E8M0:
		return pointStep(c, question(f, func(v onnx.F8E8M0) float64 { return float64(v.Float32()) }))
	}
	return opdef.Step{}, badElem(c.Elem(0))
}

func question[T any](f func(float64) bool, wide func(T) float64) func(y []bool, x [][]T) {
	return func(y []bool, x [][]T) {
		for i, v := range x[0] {
			y[i] = f(wide(v))
		}
	}
}
