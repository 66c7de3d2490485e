package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// LogSoftmax: the logarithm of Softmax along an axis.
//
// Opset 11: negative axes. 13: along axis (default -1); before, the axes from axis on (default 1) were taken as one.
var opLogSoftmax = opdef.Def{
	Type:    "LogSoftmax",
	Infer:   inferLines,
	Compile: compileLogSoftmax,
	Upgrade: upgradeSoftmax,
	Grad:    gradLine("LogSoftmaxGrad"),
	Body:    bodyLogSoftmax,
}

func bodyLogSoftmax(c *opdef.Rewrite) error {
	b := recipe{c}
	x, _, sum := b.softmax()
	return b.finish(b.do("Sub", x, b.do("Log", sum)))
}
