package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Reciprocal: y = 1 / x.
//
// Opset 6: consumed_inputs goes. 13: types.
var opReciprocal = opdef.Def{
	Type:    "Reciprocal",
	Infer:   opdef.SameAsFirst,
	Compile: function(func(v float64) float64 { return 1 / v }),
	Layouts: mapWholeLayouts,
	Upgrade: dropConsumed,
	Grad:    times(func(f formula, x, y *onnx.Value) *onnx.Value { return f.one("Neg", f.square(y)) }),
}
