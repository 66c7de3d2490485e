package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// BitwiseNot: y is x with every bit inverted, on integers.
//
// Opset 18: new.
var opBitwiseNot = opdef.Def{
	Type:    "BitwiseNot",
	Infer:   opdef.SameAsFirst,
	Compile: bitwise(vec.Not),
	Grad:    opdef.ZeroGrad,
}
