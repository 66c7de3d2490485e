package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Relu: y = max(0, x). The gradient at 0 is 0.
//
// Opset 6: consumed_inputs goes. 13, 14: types.
var opRelu = opdef.Def{
	Type:    "Relu",
	Infer:   opdef.SameAsFirst,
	Compile: arith(vec.Relu),
	Layouts: mapLayouts,
	Upgrade: dropConsumed,
	Grad:    gradFromOutput("ReluGrad"),
}
