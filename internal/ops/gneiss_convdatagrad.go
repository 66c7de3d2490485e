package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ConvDataGrad: the gradient of Conv with respect to its image, from (dY, W, X); of X only the shape is read. Attributes are
// those of the Conv.
var opConvDataGrad = opdef.Def{
	Type:    "ConvDataGrad",
	Domain:  onnx.Private,
	Schema:  private(3, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 2) },
	Compile: floatKernel(0, dataGradStep[float32], dataGradStep[float64]),
	Grad: func(c *opdef.Grad) error {
		attrs := convAttributes(c.Node)
		if c.Needs(0) {
			c.SetDX(0, c.Op("Conv", values{c.DY(0), c.In(1)}, attrs...))
		}
		if c.Needs(1) {
			c.SetDX(1, c.Private("ConvWeightGrad", values{c.DY(0), c.In(0), c.In(1)}, attrs...))
		}
		return nil
	},
}

func dataGradStep[T gemm.Float](c *opdef.Compile) (opdef.Step, error) {
	s, err := convStep(c, 2, 1,
		func(p *conv.Plan[T], threads int) int { return p.DataScratch(threads) },
		func(p *conv.Plan[T], r *opdef.Run) error {
			p.BackwardData(r.Team, opdef.Of[T](r.In[0]), opdef.Of[T](r.In[1]), opdef.Of[T](r.Out[0]), onnx.View[T](r.Scratch))
			return nil
		})
	s.ShapeOnly = []int{2}
	return s, err
}
