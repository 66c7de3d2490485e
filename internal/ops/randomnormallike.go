package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// RandomNormalLike is a tensor of its input's shape of random numbers, normally distributed, with the attributes mean and scale (the standard deviation).
//
// Opset 22: types.
var opRandomNormalLike = opdef.Def{
	Type:    "RandomNormalLike",
	Infer:   inferDrawnLike,
	Compile: drawingLike(nextNormal),
	Grad:    opdef.ZeroGrad,
	Widen:   widenType("dtype", onnx.Undefined),
}
