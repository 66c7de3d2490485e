package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// And: C = A and B with broadcasting, on truth values.
//
// Opset 7: numpy broadcasting instead of the attributes broadcast and axis.
var opAnd = opdef.Def{
	Type:    "And",
	Infer:   inferTruth,
	Compile: logic(vec.And),
	Upgrade: upgradeBroadcast,
	Grad:    opdef.ZeroGrad,
}
