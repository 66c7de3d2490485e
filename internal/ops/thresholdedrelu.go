package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ThresholdedRelu: y = x for x above alpha, else 0.
//
// Opset 22: types.
var opThresholdedRelu = opdef.Def{
	Type:  "ThresholdedRelu",
	Infer: opdef.SameAsFirst,
	Compile: activation(func(n *onnx.Node) func(float64) float64 {
		alpha := realAttr(n, "alpha", 1)
		return func(v float64) float64 {
			if v <= alpha {
				return 0
			}
			return v
		}
	}),
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.where(f.test("Greater", x, f.num(realAttr(f.Node, "alpha", 1))), f.num(1), f.num(0))
	}),
}
