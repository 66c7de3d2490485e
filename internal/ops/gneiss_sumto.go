package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.SumTo: the first input summed to the shape of the second, which broadcasts to it: the gradient of broadcasting. Of
// the second only the shape is read.
var opSumTo = opdef.Def{
	Type:   "SumTo",
	Domain: onnx.Private,
	Schema: private(2, 1),
	Infer:  func(c *opdef.Infer) error { return c.LikeElem(0, 1, c.Elem(0)) },
	Grad:   opdef.NoGrad,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		switch e := c.Elem(0); e {
		case onnx.Float32:
			return sumToStep[float32](nil), nil
		case onnx.Float64:
			return sumToStep[float64](nil), nil
		case onnx.Float16, onnx.BFloat16:
			return sumToStep(halfCodec(e)), nil
		default:
			return opdef.Step{}, badElem(e)
		}
	},
}

func sumToStep[T real](codec *codec[T]) opdef.Step {
	return opdef.Step{
		ShapeOnly: []int{1},
		Alias:     []opdef.Alias{},
		State:     func() any { return &reduction[T]{op: reduce.Sum, codec: codec} },
		Run: func(r *opdef.Run) error {
			x, to := &r.In[0], r.Out[0].Shape
			if x.Len() == r.Out[0].Len() {
				copy(r.Out[0].Data, x.Data)
				return nil
			}
			t, off := r.State.(*reduction[T]), len(x.Shape)-len(to)
			t.bind(r, x, &r.Out[0], func(i int) bool { return i < off || to[i-off] == 1 })
			t.run(r)
			return nil
		},
	}
}
