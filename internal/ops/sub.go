package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Sub: C = A - B with broadcasting. Integers wrap.
//
// Opset 6: consumed_inputs goes. 7: numpy broadcasting instead of the attributes broadcast and axis. 13, 14: types.
var opSub = opdef.Def{
	Type:    "Sub",
	Infer:   inferArith(subDims),
	Compile: arith(vec.Sub),
	Layouts: broadcastLayouts,
	Upgrade: upgradeBroadcast,
	Grad: func(c *opdef.Grad) error {
		if c.Needs(0) {
			c.SetDX(0, sumTo(c, c.DY(0), c.In(0)))
		}
		if c.Needs(1) {
			c.SetDX(1, formula{c}.one("Neg", sumTo(c, c.DY(0), c.In(1))))
		}
		return nil
	},
}
