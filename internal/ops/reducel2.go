package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ReduceL2: the square root of the sum of the squares. Its gradient at 0 is 0.
// The axes are input 1; without it all axes are reduced, or none if noop_with_empty_axes is set.
//
// Opset 11: negative axes. 13: types. 18: the attribute axes becomes an input.
var opReduceL2 = opdef.Def{
	Type:    "ReduceL2",
	Infer:   inferReduce(nil),
	Compile: reduceWide(reduce.SumSquare, sqrtOf[float32], sqrtOf[float64]),
	Upgrade: axesToInput(18),
	Grad: spreading(func(f formula, x, y, dy *onnx.Value, up func(*onnx.Value) *onnx.Value) *onnx.Value {
		return f.mul(x, up(f.where(f.test("Equal", y, f.num(0)), f.num(0), f.div(dy, y))))
	}),
}
