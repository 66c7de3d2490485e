package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// GlobalMaxPool: the largest element of each channel, with spatial sizes of 1. NaN wins.
//
// Opset 22: types. Inside a training step output 1 is the element's flat position in X, for the gradient.
var opGlobalMaxPool = opdef.Def{
	Type: "GlobalMaxPool",
	Infer: func(c *opdef.Infer) error {
		err := inferGlobalPool(c)
		if len(c.Outs) > 1 && c.Outs[0].Ranked {
			c.Set(1, onnx.Int64, c.Outs[0].Shape...)
		}
		return err
	},
	Compile: floatKernel(0, globalMaxStep[float32], globalMaxStep[float64]),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("MaxPoolGrad", values{c.DY(0), c.Y(1), c.In(0)}))
		return nil
	},
}

func globalMaxStep[T float](c *opdef.Compile) (opdef.Step, error) {
	return poolStep(c, 0, func(p *pool.Plan[T], r *opdef.Run) error {
		p.Max(r.Team, opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0]), outOf[int64](r, 1), false)
		return nil
	})
}
