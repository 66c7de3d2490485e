package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// GroupNormalizationGrad: the gradients of X, scale and bias of GroupNormalization, or without the attribute num_groups of
// InstanceNormalization, from (dY, X, scale).
var opGroupNormalizationGrad = opdef.Def{
	Type:   "GroupNormalizationGrad",
	Domain: onnx.Private,
	Schema: private(3, 3),
	Infer: func(c *opdef.Infer) error {
		for i, from := range []int{1, 2, 2} {
			if err := c.Like(i, from); err != nil {
				return err
			}
		}
		return nil
	},
	Compile: floatKernel(0, groupNormGradStep[float32], groupNormGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func groupNormGradStep[T float](c *opdef.Compile) (opdef.Step, error) {
	return rowNormGradStep[T](c, channelGroups(c.Node), true)
}
