package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Or: C = A or B with broadcasting, on truth values.
//
// Opset 7: numpy broadcasting instead of the attributes broadcast and axis.
var opOr = opdef.Def{
	Type:    "Or",
	Infer:   inferTruth,
	Compile: logic(vec.Or),
	Upgrade: upgradeBroadcast,
	Grad:    opdef.ZeroGrad,
}
