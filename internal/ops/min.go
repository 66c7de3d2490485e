package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Min: the smallest of all inputs, element by element, with broadcasting. NaN wins. Equal inputs share the gradient.
//
// Opset 6: consumed_inputs goes. 8: broadcasting. 12, 13: types.
var opMin = opdef.Def{
	Type:    "Min",
	Infer:   inferArith(minDims),
	Compile: arith(vec.Min),
	Layouts: broadcastLayouts,
	Upgrade: dropConsumed,
	Grad:    gradExtreme,
}
