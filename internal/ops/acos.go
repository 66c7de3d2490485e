package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Acos: y is the angle in radians whose cosine is x.
//
// Opset 22: types.
var opAcos = opdef.Def{
	Type:    "Acos",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Acos),
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.one("Neg", f.one("Reciprocal", f.one("Sqrt", f.sub(f.num(1), f.square(x)))))
	}),
}
