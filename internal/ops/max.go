package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Max: the largest of all inputs, element by element, with broadcasting. NaN wins. Equal inputs share the gradient.
//
// Opset 6: consumed_inputs goes. 8: broadcasting. 12, 13: types.
var opMax = opdef.Def{
	Type:    "Max",
	Infer:   inferArith(maxDims),
	Compile: arith(vec.Max),
	Layouts: broadcastLayouts,
	Upgrade: dropConsumed,
	Grad:    gradExtreme,
}
