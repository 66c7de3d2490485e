package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Sinh: y is the hyperbolic sine of x.
//
// Opset 22: types.
var opSinh = opdef.Def{
	Type:    "Sinh",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Sinh),
	Grad:    times(func(f formula, x, y *onnx.Value) *onnx.Value { return f.one("Cosh", x) }),
}
