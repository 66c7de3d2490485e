package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// GlobalLpPool: the Lp norm of each channel.
//
// Opset 1: p is a float. 2: an integer. 22: types.
var opGlobalLpPool = opdef.Def{
	Type:    "GlobalLpPool",
	Infer:   inferGlobalPool,
	Compile: floatKernel(0, lpPoolStep[float32], lpPoolStep[float64]),
	Grad:    gradLpPool,
	Upgrade: upgradeLpPool,
}
