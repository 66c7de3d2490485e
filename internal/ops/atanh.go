package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Atanh: y is the number whose hyperbolic tangent is x.
//
// Opset 22: types.
var opAtanh = opdef.Def{
	Type:    "Atanh",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Atanh),
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.one("Reciprocal", f.sub(f.num(1), f.square(x)))
	}),
}
