package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// ReduceMax: the largest element; NaN wins. Of no elements it is the lowest number of the type, for bool false. Elements that are
// equally large share the gradient.
// The axes are input 1; without it all axes are reduced, or none if noop_with_empty_axes is set.
//
// Opset 11: negative axes. 13: types. 12, 20: types. 18: the attribute axes becomes an input.
var opReduceMax = opdef.Def{
	Type:    "ReduceMax",
	Infer:   inferReduce(maxDims),
	Compile: reduceNumbers(reduce.Max),
	Upgrade: axesToInput(18),
	Grad:    gradReduceExtreme,
}
