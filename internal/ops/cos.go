package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Cos: y is the cosine of x in radians.
//
// Opset 22: types.
var opCos = opdef.Def{
	Type:    "Cos",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Cos),
	Grad:    times(func(f formula, x, y *onnx.Value) *onnx.Value { return f.one("Neg", f.one("Sin", x)) }),
}
