package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Sign: y is -1, 0 or 1 as x is; NaN stays NaN.
//
// Opset 13: types.
var opSign = opdef.Def{
	Type:    "Sign",
	Infer:   opdef.SameAsFirst,
	Compile: arith(vec.Sign),
	Grad:    opdef.ZeroGrad,
}
