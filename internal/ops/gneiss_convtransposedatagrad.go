package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ConvTransposeDataGrad: the gradient of ConvTranspose with respect to X, from (dY, W, X); of X only the shape is read.
// Attributes are those of the ConvTranspose.
var opConvTransposeDataGrad = opdef.Def{
	Type:    "ConvTransposeDataGrad",
	Domain:  onnx.Private,
	Schema:  private(3, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 2) },
	Compile: floatKernel(0, transposeDataGradStep[float32], transposeDataGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func transposeDataGradStep[T gemm.Float](c *opdef.Compile) (opdef.Step, error) {
	s, err := transposedStep(c, 2, 1,
		func(p *conv.Plan[T], threads int) int { return p.ForwardScratch(threads, false) },
		func(s *transposedConv[T], r *opdef.Run, image, scratch []T) {
			dy := opdef.Of[T](r.In[0])
			if s.direct {
				image = dy
			} else {
				s.move(image, dy, false)
			}
			s.plan.Forward(r.Team, image, conv.Weights[T]{Data: opdef.Of[T](r.In[1])}, nil, false, opdef.Of[T](r.Out[0]), scratch)
		})
	s.ShapeOnly = []int{2}
	return s, err
}
