package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// BitwiseOr: C = A or B with broadcasting, bit by bit, on integers.
//
// Opset 18: new.
var opBitwiseOr = opdef.Def{
	Type:    "BitwiseOr",
	Infer:   inferVariadic,
	Compile: bitwise(vec.Or),
	Grad:    opdef.ZeroGrad,
}
