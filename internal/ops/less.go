package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Less: C = A < B with broadcasting; false where a NaN stands.
//
// Opset 7: numpy broadcasting instead of the attributes broadcast and axis. 9, 13: types.
var opLess = opdef.Def{
	Type:    "Less",
	Infer:   inferTruth,
	Compile: compare(vec.Less),
	Upgrade: upgradeBroadcast,
	Grad:    opdef.ZeroGrad,
}
