package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// MaxPoolGrad: the gradient of MaxPool from (dY, Indices, X); of X only the shape is read. Attributes are
// those of the pooling.
var opMaxPoolGrad = opdef.Def{
	Type:    "MaxPoolGrad",
	Domain:  onnx.Private,
	Schema:  private(3, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 2) },
	Compile: floatKernel(0, maxGradStep[float32], maxGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func maxGradStep[T float](c *opdef.Compile) (opdef.Step, error) {
	s, err := poolStep(c, 2, func(p *pool.Plan[T], r *opdef.Run) error {
		return p.MaxBackward(r.Team, opdef.Of[T](r.In[0]), opdef.Of[int64](r.In[1]), opdef.Of[T](r.Out[0]))
	})
	s.ShapeOnly = []int{2}
	return s, err
}
