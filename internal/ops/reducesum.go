package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// ReduceSum: the sum. Integers wrap.
// The axes are input 1; without it all axes are reduced, or none if noop_with_empty_axes is set.
//
// Opset 11: negative axes. 13: the attribute axes becomes an input.
var opReduceSum = opdef.Def{
	Type:    "ReduceSum",
	Infer:   inferReduce(addDims),
	Compile: reduceNumbers(reduce.Sum),
	Upgrade: axesToInput(13),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, unreduce(c, c.DY(0)))
		return nil
	},
}
