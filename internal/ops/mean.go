package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Mean: the mean of all inputs, element by element, with broadcasting.
//
// Opset 6: consumed_inputs goes. 8: broadcasting. 13: types.
var opMean = opdef.Def{
	Type:    "Mean",
	Infer:   inferVariadic,
	Compile: floats(vec.Mean[float32], vec.Mean[float64]),
	Upgrade: dropConsumed,
	Grad: func(c *opdef.Grad) error {
		f := formula{c}
		d := f.div(c.DY(0), f.num(float64(c.Node.NumIn())))
		for i := range c.Node.NumIn() {
			if c.Needs(i) {
				c.SetDX(i, sumTo(c, d, c.In(i)))
			}
		}
		return nil
	},
}
