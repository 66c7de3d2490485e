package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// HardSigmoid: y = max(0, min(1, alpha * x + beta)). The gradient at both kinks is 0.
//
// Opset 6: consumed_inputs goes. 22: types.
var opHardSigmoid = opdef.Def{
	Type:  "HardSigmoid",
	Infer: opdef.SameAsFirst,
	Compile: activation(func(n *onnx.Node) func(float64) float64 {
		return hardSigmoid(realAttr(n, "alpha", 0.2), realAttr(n, "beta", 0.5))
	}),
	Layouts: mapLayouts,
	Upgrade: dropConsumed,
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		rising := f.test("And", f.test("Greater", y, f.num(0)), f.test("Less", y, f.num(1)))
		return f.where(rising, f.num(realAttr(f.Node, "alpha", 0.2)), f.num(0))
	}),
}
