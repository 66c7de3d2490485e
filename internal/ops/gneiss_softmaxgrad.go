package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.SoftmaxGrad: dx for dy and the output y of Softmax along the attribute axis.
var opSoftmaxGrad = opdef.Def{
	Type:    "SoftmaxGrad",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   inferLines,
	Grad:    opdef.NoGrad,
	Compile: lineFloats(2, softmaxGradLine[float32], softmaxGradLine[float64]),
}
