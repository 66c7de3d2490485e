package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Sum: the sum of all inputs, element by element, with broadcasting.
//
// Opset 6: consumed_inputs goes. 8: broadcasting. 13: types.
var opSum = opdef.Def{
	Type:    "Sum",
	Infer:   inferVariadic,
	Compile: arith(vec.Add),
	Layouts: broadcastLayouts,
	Upgrade: dropConsumed,
	Grad: func(c *opdef.Grad) error {
		for i := range c.Node.NumIn() {
			if c.Needs(i) {
				c.SetDX(i, sumTo(c, c.DY(0), c.In(i)))
			}
		}
		return nil
	},
}
