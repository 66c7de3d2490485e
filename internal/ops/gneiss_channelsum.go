package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/norm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ChannelSum: the sum of X [N, C, ...] over all but its channels, [C]: the gradient of a bias. Sums run in float64.
var opChannelSum = opdef.Def{
	Type:   "ChannelSum",
	Domain: onnx.Private,
	Schema: private(1, 1),
	Infer: func(c *opdef.Infer) error {
		s, err := c.Shape(0)
		if err != nil {
			c.SetUnranked(0, c.Elem(0))
			return err
		}
		if len(s) < 2 {
			return onnx.Invalidf("expected an input of rank 2 or more, received %v", c.Ins[0])
		}
		c.Set(0, c.Elem(0), s[1])
		return nil
	},
	Compile: floatKernel(0, channelSumStep[float32], channelSumStep[float64]),
	Grad: func(c *opdef.Grad) error {
		rank := c.In(0).Type.Rank()
		axes := make([]int64, rank-2)
		for i := range axes {
			axes[i] = int64(i + 1)
		}
		d := c.Op("Unsqueeze", values{c.DY(0), axesConst(c, axes...)})
		c.SetDX(0, c.Op("Expand", values{d, c.Op("Shape", values{c.In(0)})}))
		return nil
	},
}

func channelSumStep[T norm.Float](c *opdef.Compile) (opdef.Step, error) {
	return opdef.Step{
		State: func() any { return &norm.Sum[T]{Table: vecTable(c.Generic)} },
		Run: func(r *opdef.Run) error {
			s := r.State.(*norm.Sum[T])
			s.Shape, s.X, s.Y = channelShape(r.In[0].Shape), opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0])
			s.Run(r.Team)
			return nil
		},
	}, nil
}
