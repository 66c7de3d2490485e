package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// HardSigmoid: y = max(0, min(1, alpha * x + beta)). The gradient at both kinks is 0.
//
// Opset 6: consumed_inputs goes. 22: types.
var opHardSigmoid = opdef.Def{
	Type:  "HardSigmoid",
	Infer: opdef.SameAsFirst,
	Compile: kernelOr(func(n *onnx.Node) (func(t *vec.Table, y, x []float32), func(float64) float64) {
		alpha, beta := n.Float("alpha", 0.2), n.Float("beta", 0.5)
		return func(t *vec.Table, y, x []float32) { t.HardSigmoid(y, x, alpha, beta) },
			hardSigmoid(realAttr(n, "alpha", 0.2), realAttr(n, "beta", 0.5))
	}),
	Layouts: mapLayouts,
	Upgrade: dropConsumed,
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		rising := f.test("And", f.test("Greater", y, f.num(0)), f.test("Less", y, f.num(1)))
		return f.where(rising, f.num(realAttr(f.Node, "alpha", 0.2)), f.num(0))
	}),
}
