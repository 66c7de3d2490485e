package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Asinh: y is the number whose hyperbolic sine is x.
//
// Opset 22: types.
var opAsinh = opdef.Def{
	Type:    "Asinh",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Asinh),
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.one("Reciprocal", f.one("Sqrt", f.add(f.square(x), f.num(1))))
	}),
}
