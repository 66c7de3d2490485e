package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Mish: y = x * tanh(log(1 + e^x)).
//
// Opset 22: types.
var opMish = opdef.Def{
	Type:    "Mish",
	Infer:   opdef.SameAsFirst,
	Compile: function(func(v float64) float64 { return v * math.Tanh(vec.Softplus(v)) }),
	Layouts: mapLayouts,
	Grad: times(func(f formula, x, _ *onnx.Value) *onnx.Value {
		t := f.one("Tanh", f.one("Softplus", x))
		slope := f.mul(f.sub(f.num(1), f.square(t)), f.one("Sigmoid", x))
		return f.add(t, f.mul(x, slope))
	}),
}
