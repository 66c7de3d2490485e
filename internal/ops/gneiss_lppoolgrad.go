package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LpPoolGrad: the gradient of LpPool and GlobalLpPool from (dY, Y, X). Attributes are those of the pooling; no kernel_shape is a
// global one.
var opLpPoolGrad = opdef.Def{
	Type:    "LpPoolGrad",
	Domain:  onnx.Private,
	Schema:  private(3, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 2) },
	Compile: floatKernel(0, lpPoolGradStep[float32], lpPoolGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func lpPoolGradStep[T float](c *opdef.Compile) (opdef.Step, error) {
	norm, err := exponent(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	return poolStep(c, 2, func(p *pool.Plan[T], r *opdef.Run) error {
		pool.LpBackward(p, r.Team, opdef.Of[T](r.In[2]), opdef.Of[T](r.In[1]), opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0]), norm)
		return nil
	})
}
