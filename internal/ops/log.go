package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Log: y is the natural logarithm of x.
//
// Opset 6: consumed_inputs goes. 13: types.
var opLog = opdef.Def{
	Type:    "Log",
	Infer:   opdef.SameAsFirst,
	Compile: function(math.Log),
	Layouts: mapWholeLayouts,
	Upgrade: dropConsumed,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, formula{c}.div(c.DY(0), c.In(0)))
		return nil
	},
}
