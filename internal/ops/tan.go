package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Tan: y is the tangent of x in radians.
//
// Opset 22: types.
var opTan = opdef.Def{
	Type:    "Tan",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Tan),
	Grad:    times(func(f formula, x, y *onnx.Value) *onnx.Value { return f.add(f.num(1), f.square(y)) }),
}
