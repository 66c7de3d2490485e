package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Greater: C = A > B with broadcasting; false where a NaN stands.
//
// Opset 7: numpy broadcasting instead of the attributes broadcast and axis. 9, 13: types.
var opGreater = opdef.Def{
	Type:    "Greater",
	Infer:   inferTruth,
	Compile: compare(vec.Greater),
	Upgrade: upgradeBroadcast,
	Grad:    opdef.ZeroGrad,
}
