package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/norm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// BatchNormalizationGrad: the gradients of X, scale and B of a BatchNormalization from (dY, X, scale) in training mode, whose
// statistics are computed again, and from (dY, X, scale, mean, variance) otherwise.
var opBatchNormalizationGrad = opdef.Def{
	Type:   "BatchNormalizationGrad",
	Domain: onnx.Private,
	Schema: &schema.Schema{MinIn: 3, MaxIn: 5, MinOut: 3, MaxOut: 3},
	Infer: func(c *opdef.Infer) error {
		for i, from := range []int{1, 2, 2} {
			if err := c.Like(i, from); err != nil {
				return err
			}
		}
		return nil
	},
	Compile: floatKernel(0, batchNormGradStep[float32], batchNormGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func batchNormGradStep[T norm.Float](c *opdef.Compile) (opdef.Step, error) {
	training, epsilon := c.Node.Int("training_mode", 0) != 0, realAttr(c.Node, "epsilon", 1e-5)
	return opdef.Step{
		Alias: []opdef.Alias{{Out: 0, In: 0}},
		State: func() any { return &norm.Batch[T]{Epsilon: epsilon, Table: vecTable(c.Generic)} },
		Run: func(r *opdef.Run) error {
			b := r.State.(*norm.Batch[T])
			b.Shape = channelShape(r.In[1].Shape)
			b.DY, b.X, b.Scale = opdef.Of[T](r.In[0]), opdef.Of[T](r.In[1]), opdef.Of[T](r.In[2])
			b.DX, b.DScale, b.DBias = outOf[T](r, 0), outOf[T](r, 1), outOf[T](r, 2)
			if training {
				b.TrainBackward(r.Team)
				return nil
			}
			b.Mean, b.Var = opdef.Of[T](r.In[3]), opdef.Of[T](r.In[4])
			b.InferBackward(r.Team)
			return nil
		},
	}, nil
}
