package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Atan: y is the angle in radians whose tangent is x.
//
// Opset 22: types.
var opAtan = opdef.Def{
	Type:    "Atan",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Atan),
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.one("Reciprocal", f.add(f.num(1), f.square(x)))
	}),
}
