package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// ReduceMin: the smallest element; NaN wins. Of no elements it is the highest number of the type, for bool true. Elements that are
// equally small share the gradient.
// The axes are input 1; without it all axes are reduced, or none if noop_with_empty_axes is set.
//
// Opset 11: negative axes. 13: types. 12, 20: types. 18: the attribute axes becomes an input.
var opReduceMin = opdef.Def{
	Type:    "ReduceMin",
	Infer:   inferReduce(minDims),
	Compile: reduceNumbers(reduce.Min),
	Upgrade: axesToInput(18),
	Grad:    gradReduceExtreme,
}
