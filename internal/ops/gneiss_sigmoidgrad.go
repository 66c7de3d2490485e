package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.SigmoidGrad: dx for dy and the output y of Sigmoid.
var opSigmoidGrad = opdef.Def{
	Type:    "SigmoidGrad",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   opdef.SameAsFirst,
	Grad:    opdef.NoGrad,
	Compile: floats(vec.SigmoidGrad[float32], vec.SigmoidGrad[float64]),
}
