package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/norm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LRN: y = x / (bias + alpha/size·Σ x²)^beta, where the sum is over size channels around each one: those from
// c - floor((size-1)/2) to c + ceil((size-1)/2).
//
// Opset 1, 13: types.
var opLRN = opdef.Def{
	Type:    "LRN",
	Infer:   inferLRN,
	Compile: floatKernel(0, lrnStep[float32](0), lrnStep[float64](0)),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("LRNGrad", values{c.DY(0), c.In(0)}, c.Node.Attrs...))
		return nil
	},
}

func inferLRN(c *opdef.Infer) error {
	if err := c.Like(0, 0); err != nil {
		return err
	}
	if n := c.Node.Int("size", 0); n < 1 {
		return onnx.Invalidf("attribute size: expected at least 1, received %d", n)
	}
	s, err := c.Shape(0)
	if err == nil && len(s) < 2 {
		return onnx.Invalidf("expected an input of rank 2 or more, received %v", c.Ins[0])
	}
	return err
}

// lrnStep is the step of LRN with X at input 0, or of its gradient with dY at 0 and X at 1.
func lrnStep[T norm.Float](x int) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		n := c.Node
		size := int(min(n.Int("size", 1), 1<<30))
		return opdef.Step{
			Scratch: func(b *opdef.Bound) int {
				return max(b.Threads, 1) * 16 * norm.Strip * channelShape(b.In[x].Shape).C
			},
			State: func() any {
				return &norm.Response[T]{
					Size: size, Alpha: float64(n.Float("alpha", 1e-4)), Beta: float64(n.Float("beta", 0.75)), Bias: float64(n.Float("bias", 1)),
				}
			},
			Run: func(r *opdef.Run) error {
				s := r.State.(*norm.Response[T])
				s.Shape = channelShape(r.In[x].Shape)
				buf, each := onnx.View[float64](r.Scratch), 2*norm.Strip*s.C
				s.Buf = func(worker int) []float64 { return buf[worker*each : (worker+1)*each] }
				s.X = opdef.Of[T](r.In[x])
				if x == 0 {
					s.Y = opdef.Of[T](r.Out[0])
					s.Forward(r.Team)
					return nil
				}
				s.DY, s.DX = opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0])
				s.Backward(r.Team)
				return nil
			},
		}, nil
	}
}
