package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Softplus: y = log(1 + e^x).
//
// Opset 22: types.
var opSoftplus = opdef.Def{
	Type:    "Softplus",
	Infer:   opdef.SameAsFirst,
	Compile: function(vec.Softplus),
	Layouts: mapLayouts,
	Grad:    times(func(f formula, x, y *onnx.Value) *onnx.Value { return f.one("Sigmoid", x) }),
}
