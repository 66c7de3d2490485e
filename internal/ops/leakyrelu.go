package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LeakyRelu: y = x for x of at least 0, else alpha * x.
//
// Opset 6: consumed_inputs goes. 16: types.
var opLeakyRelu = opdef.Def{
	Type:  "LeakyRelu",
	Infer: opdef.SameAsFirst,
	Compile: kernelOr(func(n *onnx.Node) (func(t *vec.Table, y, x []float32), func(float64) float64) {
		slope := n.Float("alpha", 0.01)
		return func(t *vec.Table, y, x []float32) { t.LeakyRelu(y, x, slope) }, leakyRelu(realAttr(n, "alpha", 0.01))
	}),
	Layouts: mapLayouts,
	Upgrade: dropConsumed,
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.where(f.test("Greater", x, f.num(0)), f.num(1), f.num(realAttr(f.Node, "alpha", 0.01)))
	}),
}
