package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// RoiAlignGrad: the gradients of X and, if there is a second output, of rois of RoiAlign from (dY, X, rois, batch_indices), with
// its attributes.
var opRoiAlignGrad = opdef.Def{
	Type:   "RoiAlignGrad",
	Domain: onnx.Private,
	Schema: &schema.Schema{MinIn: 4, MaxIn: 4, MinOut: 1, MaxOut: 2},
	Infer: func(c *opdef.Infer) error {
		if len(c.Outs) > 1 {
			if err := c.Like(1, 2); err != nil {
				return err
			}
		}
		return c.Like(0, 1)
	},
	Compile: floatKernel(0, regionBackward[float32](true), regionBackward[float64](true)),
	Grad:    opdef.NoGrad,
}
