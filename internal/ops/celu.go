package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Celu: y = x for x above 0, else alpha * (e^(x/alpha) - 1).
//
// Opset 28: types.
var opCelu = opdef.Def{
	Type:  "Celu",
	Infer: opdef.SameAsFirst,
	Compile: activation(func(n *onnx.Node) func(float64) float64 {
		alpha := realAttr(n, "alpha", 1)
		return func(v float64) float64 {
			if v > 0 {
				return v
			}
			return alpha * math.Expm1(v/alpha)
		}
	}),
	Layouts: mapLayouts,
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.where(f.test("Greater", x, f.num(0)), f.num(1), f.one("Exp", f.div(x, f.num(realAttr(f.Node, "alpha", 1)))))
	}),
}
