package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// ReduceProd: the product. Integers wrap.
// The axes are input 1; without it all axes are reduced, or none if noop_with_empty_axes is set.
//
// Opset 11: negative axes. 13: types. 18: the attribute axes becomes an input.
var opReduceProd = opdef.Def{
	Type:    "ReduceProd",
	Infer:   inferReduce(mulDims),
	Compile: reduceNumbers(reduce.Prod),
	Upgrade: axesToInput(18),
	Grad:    gradReduceProd,
}

// gradReduceProd is dy times the product of the other elements, also where elements are 0.
func gradReduceProd(c *opdef.Grad) error {
	f, x := formula{c}, c.In(0)
	isZero := f.test("Equal", x, f.num(0))
	zeros := again(c, "ReduceSum", f.where(isZero, f.num(1), f.num(0)))
	rest := f.where(isZero, f.num(1), x)
	d := f.mul(c.DY(0), again(c, "ReduceProd", rest))
	none := f.where(f.test("Equal", zeros, f.num(0)), d, f.num(0))
	one := f.where(f.test("Equal", zeros, f.num(1)), d, f.num(0))
	c.SetDX(0, f.where(isZero, unreduce(c, one), f.div(unreduce(c, none), rest)))
	return nil
}
