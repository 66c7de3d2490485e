package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ConvTransposeWeightGrad: the gradient of ConvTranspose with respect to W, from (X, dY, W); of W only the shape is read.
// Attributes are those of the ConvTranspose.
var opConvTransposeWeightGrad = opdef.Def{
	Type:    "ConvTransposeWeightGrad",
	Domain:  onnx.Private,
	Schema:  private(3, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 2) },
	Compile: floatKernel(0, transposeWeightGradStep[float32], transposeWeightGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func transposeWeightGradStep[T gemm.Float](c *opdef.Compile) (opdef.Step, error) {
	s, err := transposedStep(c, 0, 2,
		func(p *conv.Plan[T], threads int) int { return p.WeightsScratch(threads) },
		func(s *transposedConv[T], r *opdef.Run, image, scratch []T) {
			dy := opdef.Of[T](r.In[1])
			if s.direct {
				image = dy
			} else {
				s.move(image, dy, false)
			}
			s.plan.BackwardWeights(r.Team, image, opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0]), scratch)
		})
	s.ShapeOnly = []int{2}
	return s, err
}
