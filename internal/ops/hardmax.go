package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Hardmax: 1 at the first largest element along an axis, else 0.
//
// Opset 11: negative axes. 13: along axis (default -1); before, the axes from axis on (default 1) were taken as one.
var opHardmax = opdef.Def{
	Type:    "Hardmax",
	Infer:   inferLines,
	Compile: lineFloats(1, hardmaxLine[float32], hardmaxLine[float64]),
	Upgrade: upgradeSoftmax,
	Grad:    opdef.ZeroGrad,
}
