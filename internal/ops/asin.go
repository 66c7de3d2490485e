package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Asin: y is the angle in radians whose sine is x.
//
// Opset 22: types.
var opAsin = opdef.Def{
	Type:    "Asin",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Asin),
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.one("Reciprocal", f.one("Sqrt", f.sub(f.num(1), f.square(x))))
	}),
}
