package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LRNGrad: dx for dy and the input x of LRN, with its attributes.
var opLRNGrad = opdef.Def{
	Type:    "LRNGrad",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 1) },
	Compile: floatKernel(0, lrnStep[float32](1), lrnStep[float64](1)),
	Grad:    opdef.NoGrad,
}
