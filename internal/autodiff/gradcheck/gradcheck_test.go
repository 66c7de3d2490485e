package gradcheck_test

import (
	"context"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

type values = []*onnx.Value

// engine runs graphs through internal/plan.
func engine(set *opdef.Set) gradcheck.Engine {
	return func(g *onnx.Graph) (gradcheck.Run, error) {
		p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: set})
		if err != nil {
			return nil, err
		}
		r := p.NewRunner()
		return func(feeds map[string]*onnx.Tensor) ([]*onnx.Tensor, error) {
			ins := make([]opdef.View, len(g.Inputs))
			for i, v := range g.Inputs {
				ins[i] = plan.ViewOf(feeds[v.Name])
			}
			outs, err := r.Results(context.Background(), ins)
			if err != nil {
				return nil, err
			}
			ts := make([]*onnx.Tensor, len(outs))
			for i, o := range outs {
				ts[i] = o.(*onnx.Tensor)
			}
			return ts, nil
		}, nil
	}
}

func ramp(n int, shape ...int) *onnx.Tensor {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i%7) - 2.75 + float32(i)/16
	}
	t, _ := onnx.NewTensor(v, shape...)
	return t
}

func check(set *opdef.Set, build func(b *onnx.Builder, x values) *onnx.Value, ins ...*onnx.Tensor) error {
	b := shape.BuilderFor(onnx.NewGraph("g", nil), set)
	feeds, xs := map[string]*onnx.Tensor{}, values{}
	for _, t := range ins {
		v := b.Graph.Input("x", t.Type())
		feeds[v.Name], xs = t, append(xs, v)
	}
	b.Graph.Outputs = values{build(b, xs)}
	if b.Err() != nil {
		return b.Err()
	}
	return gradcheck.Check(b.Graph, feeds, gradcheck.Options{Set: set, Engine: engine(set)})
}

func TestCheck(t *testing.T) {
	square := func(b *onnx.Builder, x values) *onnx.Value { return b.Op("Mul", values{x[0], x[0]}) }
	require.NoError(t, check(ops.All, square, ramp(5, 5)))
	require.NoError(t, check(ops.All, square, ramp(0, 0, 3)), "no elements, nothing to differ")
	require.NoError(t, check(ops.All, square, ramp(100, 10, 10)), "many elements")
	require.NoError(t, check(ops.All, func(b *onnx.Builder, x values) *onnx.Value { return b.Op("Mul", x) }, ramp(6, 2, 3), ramp(3, 3)))
	require.NoError(t, check(ops.All, func(b *onnx.Builder, x values) *onnx.Value {
		h := b.Op("Transpose", values{x[0]})
		return b.Op("MatMul", values{h, b.Op("Add", values{x[0], x[1]})})
	}, ramp(6, 3, 2), ramp(2, 2)))
	require.NoError(t, check(ops.All, func(b *onnx.Builder, x values) *onnx.Value {
		return b.Op("Mul", values{x[0], b.Const(onnx.Scalar[float32](3))})
	}, ramp(4, 4)), "constants become double as well")
}

func TestCheck_finds(t *testing.T) {
	mul := *ops.All.Find("", "Mul")
	wrong := mul
	wrong.Grad = func(c *opdef.Grad) error {
		c.SetDX(0, c.DY(0))
		return nil
	}
	set := opdef.NewSet(ops.All, &wrong)
	square := func(b *onnx.Builder, x values) *onnx.Value { return b.Op("Mul", values{x[0], x[0]}) }
	require.ErrorContains(t, check(set, square, ramp(5, 5)), "analytic 1, numeric -5.5")
	require.ErrorContains(t, check(set, square, ramp(100, 100)), "direction 0")
	wrong.Grad = opdef.ZeroGrad
	require.ErrorContains(t, check(set, square, ramp(5, 5)), "analytic 0")
	wrong.Grad = opdef.NoGrad
	require.ErrorIs(t, check(set, square, ramp(5, 5)), opdef.ErrNoGrad)
}

// loop runs h = tanh(h W) + u for some trips, with W and u captured, and gives the last h and all of them.
func loop(b *onnx.Builder, h, w, u *onnx.Value, trips int64, inner func(b *onnx.Builder, h *onnx.Value) *onnx.Value) *onnx.Node {
	s := b.Sub("body")
	s.Graph.Input("i", onnx.TensorOf(onnx.Int64))
	c := s.Graph.Input("c", onnx.TensorOf(onnx.Bool))
	x := s.Graph.Input("h", h.Type)
	y := s.Op("Add", values{inner(s, s.Op("MatMul", values{x, w})), u})
	s.Graph.Outputs = values{s.Op("Identity", values{c}), y, s.Op("Mul", values{y, y})}
	return b.Node("", "Loop", 2, values{b.Const(onnx.Scalar(trips)), nil, h}, onnx.GraphAttr("body", s.Graph))
}

func tanh(b *onnx.Builder, x *onnx.Value) *onnx.Value { return b.Op("Tanh", values{x}) }

// branch is tanh(x) or x*x, by a constant.
func branch(cond bool) func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
	return func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		s, e := b.Sub("then"), b.Sub("else")
		s.Graph.Outputs = values{tanh(s, x)}
		e.Graph.Outputs = values{e.Op("Mul", values{x, x})}
		return b.Node("", "If", 1, values{b.Const(onnx.Scalar(cond))},
			onnx.GraphAttr("then_branch", s.Graph), onnx.GraphAttr("else_branch", e.Graph)).Out(0)
	}
}

func TestCheck_control(t *testing.T) {
	for _, cond := range []bool{true, false} {
		require.NoError(t, check(ops.All, func(b *onnx.Builder, x values) *onnx.Value {
			return b.Op("Add", values{branch(cond)(b, x[0]), x[0]})
		}, ramp(4, 4)))
		require.NoError(t, check(ops.All, func(b *onnx.Builder, x values) *onnx.Value {
			return loop(b, x[0], x[1], x[2], 3, branch(cond)).Out(0)
		}, ramp(2, 1, 2), small(4, 2, 2), ramp(2, 1, 2)))
	}
	for _, out := range []int{0, 1} {
		for _, trips := range []int64{0, 1, 4} {
			require.NoError(t, check(ops.All, func(b *onnx.Builder, x values) *onnx.Value {
				return loop(b, x[0], x[1], x[2], trips, tanh).Out(out)
			}, ramp(2, 1, 2), small(4, 2, 2), ramp(2, 1, 2)), "output %d after %d trips", out, trips)
		}
	}
	require.NoError(t, check(ops.All, func(b *onnx.Builder, x values) *onnx.Value {
		return loop(b, x[0], x[1], x[2], 2, func(b *onnx.Builder, h *onnx.Value) *onnx.Value {
			return loop(b, h, x[1], h, 2, tanh).Out(0)
		}).Out(0)
	}, ramp(2, 1, 2), small(4, 2, 2), ramp(2, 1, 2)), "a loop in a loop")
}

func small(n int, shape ...int) *onnx.Tensor {
	t := ramp(n, shape...)
	for i, d := 0, onnx.View[float32](t.Mutable()); i < len(d); i++ {
		d[i] /= 8
	}
	return t
}

func TestCheck_throughBody(t *testing.T) {
	for _, name := range []string{"HardSwish", "Softplus", "Mish", "Swish", "Elu", "Selu", "LeakyRelu", "Softsign", "ReduceSumSquare"} {
		d := *ops.All.Find("", name)
		d.Grad = nil
		one := func(b *onnx.Builder, x values) *onnx.Value {
			return b.Op("Mul", values{b.Op(name, values{x[0]}), x[0]})
		}
		require.NoError(t, check(opdef.NewSet(ops.All, &d), one, ramp(5, 5)), name)
	}
}
