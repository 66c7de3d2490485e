package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// ArgMax: where along an axis the largest element is, as int64: the first of equal ones, or the last if
// select_last_index is set. NaN counts as the largest.
//
// Opset 11: negative axes. 12: select_last_index. 13: types.
var opArgMax = opdef.Def{
	Type:    "ArgMax",
	Infer:   inferArg,
	Compile: compileArg(true),
	Grad:    opdef.ZeroGrad,
}
