package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Div: C = A / B with broadcasting. Integers divide toward zero; a divisor of 0 is an error.
//
// Opset 6: consumed_inputs goes. 7: numpy broadcasting instead of the attributes broadcast and axis. 13, 14: types.
var opDiv = opdef.Def{
	Type:    "Div",
	Infer:   inferArith(divDims),
	Compile: dividing(arith(vec.Div)),
	Layouts: broadcastWholeLayouts,
	Upgrade: upgradeBroadcast,
	Grad: func(c *opdef.Grad) error {
		f := formula{c}
		if c.Needs(0) {
			c.SetDX(0, sumTo(c, f.div(c.DY(0), c.In(1)), c.In(0)))
		}
		if c.Needs(1) {
			d := f.div(f.mul(c.DY(0), c.Y(0)), c.In(1))
			c.SetDX(1, f.one("Neg", sumTo(c, d, c.In(1))))
		}
		return nil
	},
}
