package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Sigmoid: y = 1 / (1 + e^-x).
//
// Opset 6: consumed_inputs goes. 13: types.
var opSigmoid = opdef.Def{
	Type:    "Sigmoid",
	Infer:   opdef.SameAsFirst,
	Compile: quick{vec.SigmoidOf, vec.Sigmoid}.compile(1),
	Layouts: mapLayouts,
	Upgrade: dropConsumed,
	Grad:    gradFromOutput("SigmoidGrad"),
}
