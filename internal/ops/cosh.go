package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Cosh: y is the hyperbolic cosine of x.
//
// Opset 22: types.
var opCosh = opdef.Def{
	Type:    "Cosh",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Cosh),
	Grad:    times(func(f formula, x, y *onnx.Value) *onnx.Value { return f.one("Sinh", x) }),
}
