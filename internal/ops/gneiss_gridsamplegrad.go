package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/sample"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// GridSampleGrad: the gradients of X and grid of GridSample from (dY, X, grid), with its attributes.
var opGridSampleGrad = opdef.Def{
	Type:   "GridSampleGrad",
	Domain: onnx.Private,
	Schema: private(3, 2),
	Infer: func(c *opdef.Infer) error {
		if err := c.Like(0, 1); err != nil {
			return err
		}
		return c.Like(1, 2)
	},
	Compile: mixedFloats(gridGradStep[float32], gridGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func gridGradStep[T float](c *opdef.Compile) (opdef.Step, error) {
	_, err := newGrid[T](c.Node)
	return opdef.Step{
		State: func() any {
			g, _ := newGrid[T](c.Node)
			return g
		},
		Run: func(r *opdef.Run) error {
			g := r.State.(*sample.Grid[T])
			if err := gridSizes(g, r.In[1].Shape, r.In[2].Shape); err != nil {
				return err
			}
			g.DY, g.X, g.Places = opdef.Of[T](r.In[0]), opdef.Of[T](r.In[1]), opdef.Of[T](r.In[2])
			g.DX, g.DPlaces = outOf[T](r, 0), outOf[T](r, 1)
			g.Backward(r.Team)
			return nil
		},
	}, err
}
