package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Softmax: e^x divided by its sum along an axis; NaN for a line of minus infinities. 16-bit types
// are rounded after each step, as the standard's body does.
//
// Opset 11: negative axes. 13: along axis (default -1); before, the axes from axis on (default 1) were taken as one.
var opSoftmax = opdef.Def{
	Type:    "Softmax",
	Infer:   inferLines,
	Compile: compileSoftmax,
	Upgrade: upgradeSoftmax,
	Grad:    gradLine("SoftmaxGrad"),
}
