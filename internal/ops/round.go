package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Round: y is the nearest whole number, ties to even.
//
// Opset 22: types.
var opRound = opdef.Def{
	Type:    "Round",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.RoundToEven),
	Grad:    opdef.ZeroGrad,
}
