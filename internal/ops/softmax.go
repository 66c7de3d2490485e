package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Softmax: e^x divided by its sum along an axis; NaN for a line of minus infinities.
//
// Opset 11: negative axes. 13: along axis (default -1); before, the axes from axis on (default 1) were taken as one.
var opSoftmax = opdef.Def{
	Type:    "Softmax",
	Infer:   inferLines,
	Compile: lineFloats(1, softmaxLine[float32], softmaxLine[float64]),
	Upgrade: upgradeSoftmax,
	Grad:    gradLine("SoftmaxGrad"),
}
