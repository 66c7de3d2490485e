package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Ceil: y is the smallest whole number not below x.
//
// Opset 6: consumed_inputs goes. 13: types.
var opCeil = opdef.Def{
	Type:    "Ceil",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Ceil),
	Upgrade: dropConsumed,
	Grad:    opdef.ZeroGrad,
}
