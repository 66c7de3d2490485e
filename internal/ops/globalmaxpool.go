package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// GlobalMaxPool: the largest element of each channel, with spatial sizes of 1. NaN wins.
//
// Opset 22: types.
var opGlobalMaxPool = opdef.Def{
	Type:    "GlobalMaxPool",
	Infer:   inferGlobalPool,
	Compile: orBlocked(blockedMax, floatKernel(0, maxStep[float32], maxStep[float64])),
	Layouts: poolLayouts,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("GlobalMaxPoolGrad", values{c.DY(0), c.In(0)}))
		return nil
	},
}
