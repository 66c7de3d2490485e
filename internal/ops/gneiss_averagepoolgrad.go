package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// AveragePoolGrad: the gradient of AveragePool and GlobalAveragePool from (dY, X); of X only the shape is read. Attributes are
// those of the pooling; none is a global one.
var opAveragePoolGrad = opdef.Def{
	Type:    "AveragePoolGrad",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 1) },
	Compile: floatKernel(0, averageGradStep[float32], averageGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func averageGradStep[T float](c *opdef.Compile) (opdef.Step, error) {
	countPads := c.Node.Int("count_include_pad", 0) != 0
	s, err := poolStep(c, 1, func(p *pool.Plan[T], r *opdef.Run) error {
		p.AverageBackward(r.Team, opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0]), countPads)
		return nil
	})
	s.ShapeOnly = []int{1}
	return s, err
}
