package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ReduceSumSquare: the sum of the squares.
// The axes are input 1; without it all axes are reduced, or none if noop_with_empty_axes is set.
//
// Opset 11: negative axes. 13: types. 18: the attribute axes becomes an input.
var opReduceSumSquare = opdef.Def{
	Type:    "ReduceSumSquare",
	Infer:   inferReduce(nil),
	Compile: reduceNumbers(reduce.SumSquare),
	Upgrade: axesToInput(18),
	Grad: spreading(func(f formula, x, y, dy *onnx.Value, up func(*onnx.Value) *onnx.Value) *onnx.Value {
		return f.mul(f.mul(x, f.num(2)), up(dy))
	}),
}
