package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Neg: y = -x.
//
// Opset 6: consumed_inputs goes. 13: types.
var opNeg = opdef.Def{
	Type:    "Neg",
	Infer:   opdef.SameAsFirst,
	Compile: arith(vec.Neg),
	Layouts: mapLayouts,
	Upgrade: dropConsumed,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, formula{c}.one("Neg", c.DY(0)))
		return nil
	},
}
