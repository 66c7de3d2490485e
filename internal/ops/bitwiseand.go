package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// BitwiseAnd: C = A and B with broadcasting, bit by bit, on integers.
//
// Opset 18: new.
var opBitwiseAnd = opdef.Def{
	Type:    "BitwiseAnd",
	Infer:   inferVariadic,
	Compile: bitwise(vec.And),
	Grad:    opdef.ZeroGrad,
}
