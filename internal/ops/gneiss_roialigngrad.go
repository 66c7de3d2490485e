package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// RoiAlignGrad: the gradient of X of RoiAlign from (dY, X, rois, batch_indices), with its attributes.
var opRoiAlignGrad = opdef.Def{
	Type:    "RoiAlignGrad",
	Domain:  onnx.Private,
	Schema:  private(4, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 1) },
	Compile: floatKernel(0, regionBackward[float32](true), regionBackward[float64](true)),
	Grad:    opdef.NoGrad,
}
