package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ReduceLogSum: the logarithm of the sum.
// The axes are input 1; without it all axes are reduced, or none if noop_with_empty_axes is set.
//
// Opset 11: negative axes. 13: types. 18: the attribute axes becomes an input. 28: types.
var opReduceLogSum = opdef.Def{
	Type:    "ReduceLogSum",
	Infer:   inferReduce(nil),
	Compile: reduceWide(reduce.Sum, lnOf[float32], lnOf[float64]),
	Upgrade: axesToInput(18),
	Grad: spreading(func(f formula, x, y, dy *onnx.Value, up func(*onnx.Value) *onnx.Value) *onnx.Value {
		return up(f.mul(dy, f.one("Exp", f.one("Neg", y))))
	}),
}
