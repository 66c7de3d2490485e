package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Mod: the remainder of A / B with broadcasting, with the sign of B, as Python's %; with fmod = 1 with the sign of A. An
// integer divisor of 0 is an error.
//
// Opset 13, 28: types.
var opMod = opdef.Def{
	Type:    "Mod",
	Infer:   inferVariadic,
	Compile: compileMod,
	Grad: func(c *opdef.Grad) error {
		f := formula{c}
		if c.Needs(0) {
			c.SetDX(0, sumTo(c, c.DY(0), c.In(0)))
		}
		if c.Needs(1) { // the quotient, rounded, is constant between its steps
			q := f.one("Round", f.div(f.sub(c.In(0), c.Y(0)), c.In(1)))
			c.SetDX(1, f.one("Neg", sumTo(c, f.mul(c.DY(0), q), c.In(1))))
		}
		return nil
	},
}

func compileMod(c *opdef.Compile) (opdef.Step, error) {
	if c.Node.Int("fmod", 0) != 0 {
		return dividing(arith(vec.Fmod))(c)
	}
	return dividing(arith(vec.Mod))(c)
}
