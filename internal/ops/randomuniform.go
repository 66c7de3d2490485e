package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// RandomUniform is a tensor of the shape in the attributes of random numbers, uniformly distributed from the attribute low to the attribute high.
//
// Opset 22: types.
var opRandomUniform = opdef.Def{
	Type:    "RandomUniform",
	Infer:   inferDrawn,
	Compile: drawing(nextUniform),
	Grad:    opdef.ZeroGrad,
	Widen:   widenType("dtype", onnx.Float32),
}
