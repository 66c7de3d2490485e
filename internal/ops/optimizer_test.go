package ops_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// steps is a file that testdata/optimizer.py wrote.
type steps struct {
	Framework, Version string
	LR                 float64
	Start              []float64
	Gradients          [][]float64
	Cases              []struct {
		Op, Dtype string
		Attrs     map[string]float64
		W         []float64
	}
}

func readSteps(t *testing.T, framework string) (s steps) {
	t.Helper()
	b, err := os.ReadFile("testdata/optimizer_" + framework + ".json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &s))
	return s
}

func TestOptimizer_pytorch(t *testing.T) { checkOptimizers(t, readSteps(t, "torch"), "pytorch") }

func TestOptimizer_keras(t *testing.T) { checkOptimizers(t, readSteps(t, "keras"), "keras") }

// checkOptimizers takes the same steps as a framework did. The frameworks fuse products and sums where the machine can, we do
// not: about one unit in the last place of each step.
func checkOptimizers(t *testing.T, s steps, convention string) {
	t.Helper()
	for _, c := range s.Cases {
		a := optimizerAttrs(c.Attrs, convention)
		slots := map[string]int{"SGD": 0, "Momentum": 1, "Adam": 2}[c.Op] + int(c.Attrs["amsgrad"])
		got := make([]float64, len(c.W))
		if c.Dtype == "float64" {
			copy(got, take[float64](t, c.Op, slots, s, a))
		} else {
			for i, v := range take[float32](t, c.Op, slots, s, a) {
				got[i] = float64(v)
			}
		}
		for i := range got {
			tol := 6e-7
			if c.Dtype == "float64" {
				tol = 1e-15
			}
			require.InDelta(t, c.W[i], got[i], tol*max(1, math.Abs(c.W[i])), "%s %v %s, weight %d", c.Op, c.Attrs, c.Dtype, i)
		}
	}
}

func optimizerAttrs(m map[string]float64, convention string) attrs {
	a := attrs{onnx.Str("convention", convention)}
	for _, name := range []string{"nesterov", "decoupled"} {
		a = append(a, onnx.Int(name, int64(m[name])))
	}
	for _, name := range []string{"momentum", "dampening", "weight_decay", "beta_1", "beta_2", "epsilon"} {
		if v, ok := m[name]; ok {
			a = append(a, onnx.Float(name, float32(v)))
		}
	}
	return a
}

// take takes all steps and returns the weights.
func take[T float32 | float64](t *testing.T, op string, slots int, s steps, a attrs) []T {
	t.Helper()
	state := tensors{onnx.Vector(as[T](s.Start)...)}
	for range slots {
		state = append(state, onnx.Vector(make([]T, len(s.Start))...))
	}
	for i, g := range s.Gradients {
		in := append(slices.Clone(state), onnx.Vector(as[T](g)...), onnx.Scalar(s.LR), onnx.Scalar(1.0), onnx.Scalar(true), onnx.Scalar(int64(i+1)))
		graph, feeds := node(t, onnx.Private, op, slots+1, in, a...)
		run, err := engine(2)(graph)
		require.NoError(t, err)
		state, err = run(feeds)
		require.NoError(t, err)
	}
	return onnx.Data[T](state[0])
}

func as[T float32 | float64](v []float64) []T {
	w := make([]T, len(v))
	for i, x := range v {
		w[i] = T(x)
	}
	return w
}

// TestOptimizer_apply holds that nothing changes when apply is false, and that scale multiplies the gradient.
func TestOptimizer_apply(t *testing.T) {
	w, v, g := onnx.Vector[float32](1, 2), onnx.Vector[float32](3, 4), onnx.Vector[float32](1, 1)
	step := func(scale float64, apply bool) tensors {
		in := tensors{w, v, g, onnx.Scalar[float32](0.5), onnx.Scalar(scale), onnx.Scalar(apply), onnx.Scalar[int64](2)}
		graph, feeds := node(t, onnx.Private, "Momentum", 2, in, onnx.Str("convention", "pytorch"))
		run, err := engine(1)(graph)
		require.NoError(t, err)
		outs, err := run(feeds)
		require.NoError(t, err)
		return outs
	}
	outs := step(1, false)
	require.Equal(t, w.Bytes(), outs[0].Bytes())
	require.Equal(t, v.Bytes(), outs[1].Bytes())
	require.Equal(t, []float32{-1, 0}, onnx.Data[float32](step(4, true)[0]))
}

// TestOptimizer_variable updates a variable in place, and leaves its version alone when apply is false.
func TestOptimizer_variable(t *testing.T) {
	b := shape.NewBuilder("step")
	w := onnx.Vector[float32](1, 1)
	v, apply := b.Graph.Initializer("w", w.Type(), w), b.Graph.Input("apply", onnx.TensorOf(onnx.Bool))
	in := values{v, b.Const(onnx.Vector[float32](1, 2)), b.Const(onnx.Scalar(0.5)), b.Const(onnx.Scalar(1.0)), apply, b.Const(onnx.Scalar[int64](1))}
	b.Graph.Updates = []onnx.Update{{Var: v, New: b.Private("SGD", in, onnx.Str("convention", "keras"))}}
	require.NoError(t, b.Err())
	vars := plan.NewVars()
	p, err := plan.Build(b.Graph, vars, plan.Options{Set: ops.All})
	require.NoError(t, err)
	r := p.NewRunner()
	defer r.Close()
	run := func(apply bool) {
		require.NoError(t, r.Run(t.Context(), []opdef.View{plan.ViewOf(onnx.Scalar(apply))}, nil))
	}
	before := vars.Version("w")
	run(false)
	require.Equal(t, before, vars.Version("w"))
	run(true)
	require.Greater(t, vars.Version("w"), before)
	got, err := vars.Read("w")
	require.NoError(t, err)
	require.Equal(t, []float32{0.5, 0}, onnx.Data[float32](got))
}

func TestAccumulate(t *testing.T) {
	for first, want := range map[bool][]float64{true: {5, 6}, false: {6, 8}} {
		g, feeds := node(t, onnx.Private, "Accumulate", 1, tensors{onnx.Vector(1.0, 2), onnx.Vector(5.0, 6), onnx.Scalar(first)})
		run, err := engine(1)(g)
		require.NoError(t, err)
		outs, err := run(feeds)
		require.NoError(t, err)
		require.Equal(t, want, onnx.Data[float64](outs[0]))
	}
}
