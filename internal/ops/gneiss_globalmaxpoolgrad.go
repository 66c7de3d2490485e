package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// GlobalMaxPoolGrad: the gradient of GlobalMaxPool from (dY, X): dY where the first largest element of each channel stands,
// which is looked for again.
var opGlobalMaxPoolGrad = opdef.Def{
	Type:    "GlobalMaxPoolGrad",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 1) },
	Compile: floatKernel(0, globalMaxGradStep[float32], globalMaxGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func globalMaxGradStep[T float](c *opdef.Compile) (opdef.Step, error) {
	s, err := poolStep(c, 1, func(p *pool.Plan[T], r *opdef.Run) error {
		dy := opdef.Of[T](r.In[0])
		indices := onnx.View[int64](r.Scratch)[:len(dy)]
		largest := onnx.View[T](r.Scratch[8*len(dy):])[:len(dy)]
		p.Max(r.Team, opdef.Of[T](r.In[1]), largest, indices, false)
		return p.MaxBackward(r.Team, dy, indices, opdef.Of[T](r.Out[0]))
	})
	s.Scratch = func(b *opdef.Bound) int { return 16 * b.In[0].Len() }
	return s, err
}
