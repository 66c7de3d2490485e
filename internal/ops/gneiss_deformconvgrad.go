package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// DeformConvGrad: the gradients of X, W, offset and mask of DeformConv from its five inputs and dY, with its attributes. Output
// 3, which would be that of B, and outputs of absent inputs are empty.
var opDeformConvGrad = opdef.Def{
	Type:   "DeformConvGrad",
	Domain: onnx.Private,
	Schema: private(6, 5),
	Infer: func(c *opdef.Infer) error {
		for i := range c.Outs {
			if !c.Has(i) || i == 3 {
				c.Set(i, c.Elem(0), onnx.Fixed(0))
				continue
			}
			if err := c.Like(i, i); err != nil {
				return err
			}
		}
		return nil
	},
	Compile: floatKernel(0, deformStep[float32](true), deformStep[float64](true)),
	Grad:    opdef.NoGrad,
}
