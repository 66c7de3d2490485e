package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// MaxRoiPool pools regions of interest, [sample, x1, y1, x2, y2] in whole pixels after scaling, into bins: the largest pixel of
// each, 0 for a bin outside the image.
//
// Opset 1, 22: types. 16-bit types are computed in float32. The gradient of the regions is zero.
var opMaxRoiPool = opdef.Def{
	Type:    "MaxRoiPool",
	Infer:   inferRegions,
	Compile: floatKernel(0, regionForward[float32](false), regionForward[float64](false)),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("MaxRoiPoolGrad", values{c.DY(0), c.In(0), c.In(1)}, c.Node.Attrs...))
		return nil
	},
}
