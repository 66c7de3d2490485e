package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Acosh: y is the number of at least 0 whose hyperbolic cosine is x.
//
// Opset 22: types.
var opAcosh = opdef.Def{
	Type:    "Acosh",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Acosh),
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.one("Reciprocal", f.one("Sqrt", f.sub(f.square(x), f.num(1))))
	}),
}
