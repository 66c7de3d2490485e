package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// MaxPool: the largest element of each window; padding never wins, NaN always does. Output 1 is its flat position in X, the
// first of equal ones.
//
// Opset 8: Indices, storage_order. 10: ceil_mode, dilations. 12: int8, uint8. 22: a window that would start in the padding
// behind is left out, which older versions are given as well.
var opMaxPool = opdef.Def{
	Type:    "MaxPool",
	Infer:   inferPool,
	Compile: orBlocked(blockedMax, compileMaxPool),
	Layouts: poolLayouts,
	Grad:    gradMaxPool,
}
