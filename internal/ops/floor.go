package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Floor: y is the largest whole number not above x.
//
// Opset 6: consumed_inputs goes. 13: types.
var opFloor = opdef.Def{
	Type:    "Floor",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Floor),
	Upgrade: dropConsumed,
	Grad:    opdef.ZeroGrad,
}
