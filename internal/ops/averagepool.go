package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// AveragePool: the mean of each window, over its elements inside the image or, with count_include_pad, inside image and
// padding.
//
// Opset 7: count_include_pad. 10: ceil_mode. 19: dilations. 22: types, and a window that would start in the padding behind is
// left out, which older versions are given as well.
var opAveragePool = opdef.Def{
	Type:    "AveragePool",
	Infer:   inferPool,
	Compile: orBlocked(blockedAverage, floatKernel(0, averageStep[float32], averageStep[float64])),
	Layouts: poolLayouts,
	Grad:    gradAveragePool,
}
