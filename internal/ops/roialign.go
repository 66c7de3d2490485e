package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// RoiAlign pools regions of interest of an image into bins: the mean, or the largest weighted pixel, of places inside each bin,
// which are interpolated linearly.
//
// Opset 10: output_half_pixel. 16: coordinate_transformation_mode, by default half_pixel. 22: types. 16-bit types are computed in
// float32.
var opRoiAlign = opdef.Def{
	Type:    "RoiAlign",
	Infer:   inferRegions,
	Compile: floatKernel(0, regionForward[float32](true), regionForward[float64](true)),
	Grad: func(c *opdef.Grad) error {
		g := c.Builder.Node(onnx.Private, "RoiAlignGrad", 1+b2i(c.Needs(1)), values{c.DY(0), c.In(0), c.In(1), c.In(2)}, c.Node.Attrs...)
		c.SetDX(0, g.Out(0))
		c.SetDX(1, g.Out(1))
		return nil
	},
	Upgrade: func(c *opdef.Rewrite) error {
		if c.Version < 16 {
			c.Node.SetAttr(onnx.Str("coordinate_transformation_mode", "output_half_pixel"))
		}
		return nil
	},
}
