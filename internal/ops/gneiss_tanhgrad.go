package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.TanhGrad: dx for dy and the output y of Tanh.
var opTanhGrad = opdef.Def{
	Type:    "TanhGrad",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   opdef.SameAsFirst,
	Grad:    opdef.NoGrad,
	Compile: floats(vec.TanhGrad[float32], vec.TanhGrad[float64]),
}
