package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// GlobalAveragePool: the mean of each channel, with spatial sizes of 1.
//
// Opset 22: types.
var opGlobalAveragePool = opdef.Def{
	Type:    "GlobalAveragePool",
	Infer:   inferGlobalPool,
	Compile: orBlocked(blockedAverage, floatKernel(0, averageStep[float32], averageStep[float64])),
	Layouts: poolLayouts,
	Grad:    gradAveragePool,
}
