package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Tanh: y is the hyperbolic tangent of x.
//
// Opset 6: consumed_inputs goes. 13: types.
var opTanh = opdef.Def{
	Type:    "Tanh",
	Infer:   opdef.SameAsFirst,
	Compile: quick{vec.TanhOf, math.Tanh}.compile(1),
	Layouts: mapLayouts,
	Upgrade: dropConsumed,
	Grad:    gradFromOutput("TanhGrad"),
}
