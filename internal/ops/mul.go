package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Mul: C = A * B with broadcasting. Integers wrap.
//
// Opset 6: consumed_inputs goes. 7: numpy broadcasting instead of the attributes broadcast and axis. 13, 14: types.
var opMul = opdef.Def{
	Type:    "Mul",
	Infer:   inferArith(mulDims),
	Compile: byPixels(vec.Mul, blocked.MulPixels),
	Layouts: broadcastLayouts,
	Upgrade: upgradeBroadcast,
	Grad: func(c *opdef.Grad) error {
		for i := range 2 {
			if c.Needs(i) {
				c.SetDX(i, sumTo(c, formula{c}.mul(c.DY(0), c.In(1-i)), c.In(i)))
			}
		}
		return nil
	},
}
