package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// BitwiseXor: C = A xor B with broadcasting, bit by bit, on integers.
//
// Opset 18: new.
var opBitwiseXor = opdef.Def{
	Type:    "BitwiseXor",
	Infer:   inferVariadic,
	Compile: bitwise(vec.Xor),
	Grad:    opdef.ZeroGrad,
}
