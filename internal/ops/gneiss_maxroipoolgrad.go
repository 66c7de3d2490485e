package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// MaxRoiPoolGrad: the gradient of X of MaxRoiPool from (dY, X, rois), with its attributes.
var opMaxRoiPoolGrad = opdef.Def{
	Type:    "MaxRoiPoolGrad",
	Domain:  onnx.Private,
	Schema:  private(3, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 1) },
	Compile: floatKernel(0, regionBackward[float32](false), regionBackward[float64](false)),
	Grad:    opdef.NoGrad,
}
