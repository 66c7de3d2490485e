package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// LessOrEqual: C = A <= B with broadcasting; false where a NaN stands.
//
// Opset 16: types.
var opLessOrEqual = opdef.Def{
	Type:    "LessOrEqual",
	Infer:   inferTruth,
	Compile: compare(vec.LessOrEqual),
	Grad:    opdef.ZeroGrad,
}
