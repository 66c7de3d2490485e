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
