package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Sin: y is the sine of x in radians.
//
// Opset 22: types.
var opSin = opdef.Def{
	Type:    "Sin",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Sin),
	Grad:    times(func(f formula, x, y *onnx.Value) *onnx.Value { return f.one("Cos", x) }),
}
