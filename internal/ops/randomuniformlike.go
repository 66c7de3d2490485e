package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// RandomUniformLike is a tensor of its input's shape of random numbers, uniformly distributed from the attribute low to the attribute high.
//
// Opset 22: types.
var opRandomUniformLike = opdef.Def{
	Type:    "RandomUniformLike",
	Infer:   inferDrawnLike,
	Compile: drawingLike(nextUniform),
	Grad:    opdef.ZeroGrad,
	Widen:   widenType("dtype", onnx.Undefined),
}
