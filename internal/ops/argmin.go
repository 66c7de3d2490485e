package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// ArgMin: where along an axis the smallest element is, as int64: the first of equal ones, or the last if
// select_last_index is set. NaN counts as the smallest.
//
// Opset 11: negative axes. 12: select_last_index. 13: types.
var opArgMin = opdef.Def{
	Type:    "ArgMin",
	Infer:   inferArg,
	Compile: compileArg(false),
	Grad:    opdef.ZeroGrad,
}
