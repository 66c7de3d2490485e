package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// RandomNormal is a tensor of the shape in the attributes of random numbers, normally distributed, with the attributes mean and scale (the standard deviation).
//
// Opset 22: types.
var opRandomNormal = opdef.Def{
	Type:    "RandomNormal",
	Infer:   inferDrawn,
	Compile: drawing(nextNormal),
	Grad:    opdef.ZeroGrad,
	Widen:   widenType("dtype", onnx.Float32),
}
