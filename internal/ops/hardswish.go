package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// HardSwish: y = x * max(0, min(1, x/6 + 1/2)). The gradient is 0 up to -3 and 1 from 3 on.
//
// Opset 22: types.
var opHardSwish = opdef.Def{
	Type:  "HardSwish",
	Infer: opdef.SameAsFirst,
	Compile: kernelOr(func(*onnx.Node) (func(t *vec.Table, y, x []float32), func(float64) float64) {
		return func(t *vec.Table, y, x []float32) { t.HardSwish(y, x, 1.0/6, 0.5) }, hardSwish
	}),
	Layouts: mapLayouts,
	Grad: times(func(f formula, x, _ *onnx.Value) *onnx.Value {
		inner := f.add(f.div(x, f.num(3)), f.num(0.5))
		upper := f.where(f.test("Less", x, f.num(3)), inner, f.num(1))
		return f.where(f.test("Greater", x, f.num(-3)), upper, f.num(0))
	}),
}
