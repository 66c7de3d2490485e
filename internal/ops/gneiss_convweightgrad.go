package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ConvWeightGrad: the gradient of Conv with respect to its weights, from (X, dY, W); of W only the shape is read. Attributes
// are those of the Conv.
var opConvWeightGrad = opdef.Def{
	Type:    "ConvWeightGrad",
	Domain:  onnx.Private,
	Schema:  private(3, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 2) },
	Compile: floatKernel(0, weightGradStep[float32], weightGradStep[float64]),
	Grad: func(c *opdef.Grad) error {
		attrs := convAttributes(c.Node)
		if c.Needs(0) {
			c.SetDX(0, c.Private("ConvDataGrad", values{c.In(1), c.DY(0), c.In(0)}, attrs...))
		}
		if c.Needs(1) {
			c.SetDX(1, c.Op("Conv", values{c.In(0), c.DY(0)}, attrs...))
		}
		return nil
	},
}

func weightGradStep[T gemm.Float](c *opdef.Compile) (opdef.Step, error) {
	s, err := convStep(c, 0, 2,
		func(p *conv.Plan[T], threads int) int { return p.WeightsScratch(threads) },
		func(p *conv.Plan[T], r *opdef.Run) error {
			p.BackwardWeights(r.Team, opdef.Of[T](r.In[0]), opdef.Of[T](r.In[1]), opdef.Of[T](r.Out[0]), onnx.View[T](r.Scratch))
			return nil
		})
	s.ShapeOnly = []int{2}
	return s, err
}
