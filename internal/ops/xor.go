package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Xor: C = A xor B with broadcasting, on truth values.
//
// Opset 7: numpy broadcasting instead of the attributes broadcast and axis.
var opXor = opdef.Def{
	Type:    "Xor",
	Infer:   inferTruth,
	Compile: logic(vec.Xor),
	Upgrade: upgradeBroadcast,
	Grad:    opdef.ZeroGrad,
}
