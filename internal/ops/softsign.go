package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Softsign: y = x / (1 + |x|).
//
// Opset 22: types.
var opSoftsign = opdef.Def{
	Type:    "Softsign",
	Infer:   opdef.SameAsFirst,
	Compile: function(func(v float64) float64 { return v / (1 + math.Abs(v)) }),
	Layouts: mapLayouts,
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.one("Reciprocal", f.square(f.add(f.num(1), f.one("Abs", x))))
	}),
}
