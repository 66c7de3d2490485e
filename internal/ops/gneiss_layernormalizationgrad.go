package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LayerNormalizationGrad: the gradients of X, Scale and B of LayerNormalization, or without the attribute center of
// RMSNormalization, from (dY, X, Scale); those of Scale and B have the shape of the axes from axis on.
var opLayerNormalizationGrad = opdef.Def{
	Type:   "LayerNormalizationGrad",
	Domain: onnx.Private,
	Schema: private(3, 3),
	Infer: func(c *opdef.Infer) error {
		if err := c.Like(0, 1); err != nil {
			return err
		}
		for i := 1; i < 3; i++ {
			c.SetUnranked(i, c.Elem(2))
		}
		s, err := c.Shape(1)
		if err != nil {
			return err
		}
		axis, err := opdef.Axis(c.Node.Int("axis", -1), len(s))
		if err != nil {
			return err
		}
		for i := 1; i < 3; i++ {
			c.Set(i, c.Elem(2), s[axis:]...)
		}
		return nil
	},
	Compile: mixedFloats(layerNormGradStep[float32], layerNormGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func layerNormGradStep[T float](c *opdef.Compile) (opdef.Step, error) {
	return rowNormGradStep[T](c, lastAxes(c.Node), c.Node.Int("center", 1) != 0)
}
