package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.LogSoftmaxGrad: dx for dy and the output y of LogSoftmax along the attribute axis.
var opLogSoftmaxGrad = opdef.Def{
	Type:    "LogSoftmaxGrad",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   inferLines,
	Grad:    opdef.NoGrad,
	Compile: lineFloats(2, logSoftmaxGradLine[float32], logSoftmaxGradLine[float64]),
}
