package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// CausalConvWithStateGrad: the gradients of the four inputs of CausalConvWithState from those inputs and the gradients of both
// outputs; that of present_state may be absent. Outputs of absent inputs are empty.
var opCausalConvWithStateGrad = opdef.Def{
	Type:   "CausalConvWithStateGrad",
	Domain: onnx.Private,
	Schema: &schema.Schema{MinIn: 5, MaxIn: 6, MinOut: 4, MaxOut: 4},
	Infer: func(c *opdef.Infer) error {
		for i := range c.Outs {
			if !c.Has(i) {
				c.Set(i, c.Elem(0), onnx.Fixed(0))
				continue
			}
			if err := c.Like(i, i); err != nil {
				return err
			}
		}
		return nil
	},
	Compile: floatKernel(0, causalGradStep[float32], causalGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func causalGradStep[T float](c *opdef.Compile) (opdef.Step, error) {
	_, err := newCausal[T](c.Node)
	return opdef.Step{
		State: func() any {
			s, _ := newCausal[T](c.Node)
			return s
		},
		Run: func(r *opdef.Run) error {
			s := r.State.(*causal[T])
			if err := s.inputs(r); err != nil {
				return err
			}
			s.dy, s.dPresent = opdef.Of[T](r.In[4]), inputOf[T](r, 5)
			s.dx, s.dw, s.db, s.dOld = outOf[T](r, 0), outOf[T](r, 1), outOf[T](r, 2), outOf[T](r, 3)
			r.Team.DoFunc(s.channels, s.backward)
			return nil
		},
	}, err
}
