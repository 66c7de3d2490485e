package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// GreaterOrEqual: C = A >= B with broadcasting; false where a NaN stands.
//
// Opset 16: types.
var opGreaterOrEqual = opdef.Def{
	Type:    "GreaterOrEqual",
	Infer:   inferTruth,
	Compile: compare(vec.GreaterOrEqual),
	Grad:    opdef.ZeroGrad,
}
