package ops_test

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// TestThreads holds that the number of threads does not reach the bits of a result.
func TestThreads(t *testing.T) {
	x, row := random[float32](t, 1, -2, 2, 40, 300, 7), random[float32](t, 2, 0.5, 2, 300, 1)
	cond := eval(t, "Greater", tensors{x, row})
	axes := onnx.Vector[int64](0, 2)
	for op, in := range map[string]tensors{
		"Exp": {x}, "Mul": {x, row}, "Greater": {row, x}, "Where": {cond, x, row}, "ReduceSum": {x}, "ReduceMean": {x, axes},
		"ReduceLogSumExp": {x, onnx.Vector[int64](1)}, "Softmax": {x}, "ArgMax": {x}, "Clip": {x, onnx.Scalar[float32](0)},
		"CumSum": {x, onnx.Scalar[int64](1)}, "Sum": {x, row, x}, "Pow": {row, x},
	} {
		g, feeds := node(t, "", op, 1, in)
		var first []byte
		for _, threads := range []int{1, 2, 3, 8} {
			run, err := engine(threads)(g)
			require.NoError(t, err)
			outs, err := run(feeds)
			require.NoError(t, err)
			if first == nil {
				first = outs[0].Bytes()
			}
			require.Equal(t, first, outs[0].Bytes(), "%s on %d threads", op, threads)
		}
	}
}

// TestAllocations holds that a run in the steady state allocates nothing.
func TestAllocations(t *testing.T) {
	x, row := random[float32](t, 1, 0.1, 2, 64, 256), random[float32](t, 2, 0.5, 2, 64, 1)
	for op, in := range map[string]tensors{
		"Relu": {x}, "Add": {x, row}, "Less": {x, row}, "Sum": {x, row, x}, "Pow": {x, row}, "ReduceMean": {x, onnx.Vector[int64](1)},
		"Softmax": {x}, "ArgMax": {x}, "Clip": {x, onnx.Scalar[float32](0)}, "CumSum": {x, onnx.Scalar[int64](1)},
		"SoftmaxCrossEntropyLoss": {x, tensor(t, make([]int64, 64), 64)},
	} {
		g, feeds := node(t, "", op, 1, in)
		p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: ops.All})
		require.NoError(t, err)
		r := p.NewRunner()
		var views []opdef.View
		for _, v := range g.Inputs {
			views = append(views, plan.ViewOf(feeds[v.Name]))
		}
		results, err := r.Results(t.Context(), views)
		require.NoError(t, err)
		outs := []opdef.View{plan.ViewOf(results[0])}
		failed := false
		run := func() { failed = failed || r.Run(t.Context(), views, outs) != nil }
		run()
		require.Zero(t, testing.AllocsPerRun(5, run), op)
		require.False(t, failed)
		r.Close()
	}
}

// naive reads element i of out's shape from x.
func naive(x *onnx.Tensor, out []int, i int) float32 {
	at := 0
	for d, s := len(out)-1, opdef.BroadcastStrides(x.Shape, out); d >= 0; d-- {
		at += i % out[d] * s[d]
		i /= out[d]
	}
	return onnx.Data[float32](x)[at]
}

func TestBroadcast(t *testing.T) {
	for _, s := range [][2][]int{
		{{3, 4, 5}, {5}},
		{{3, 4, 5}, {4, 1}},
		{{3, 1, 5}, {4, 1}},
		{{1, 4, 1}, {3, 1, 5}},
		{{}, {2, 3}},
		{{5000}, {3, 1}},
		{{2, 3, 4, 5}, {3, 1, 1}},
		{{7, 1, 300}, {300, 1}},
		{{1, 1}, {1}},
		{{2, 1, 3, 1, 2}, {4, 1, 5, 1}},
		{{40, 1000}, {1}},
	} {
		a, b := random[float32](t, 1, -1, 1, s[0]...), random[float32](t, 2, -1, 1, s[1]...)
		for _, in := range []tensors{{a, b}, {b, a}} {
			y := eval(t, "Sub", in)
			for i, v := range onnx.Data[float32](y) {
				require.Equal(t, naive(in[0], y.Shape, i)-naive(in[1], y.Shape, i), v, "%v", s)
			}
		}
	}
}

// TestReduce_long compares long reductions, over inner, outer and mixed axes, with float64.
func TestReduce_long(t *testing.T) {
	x := random[float32](t, 5, -1, 2, 70, 3, 1100)
	data := onnx.Data[float32](x)
	for _, axes := range [][]int64{{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}} {
		reduced := [3]bool{}
		for _, a := range axes {
			reduced[a] = true
		}
		want := map[int]float64{}
		for i, v := range data {
			want[outIndex(i, x.Shape, reduced)] += float64(v)
		}
		y := onnx.Data[float32](eval(t, "ReduceSum", tensors{x, onnx.Vector(axes...)}))
		require.Len(t, y, len(want))
		for i, v := range y {
			require.InDelta(t, want[i], v, 1e-5*math.Sqrt(float64(len(data)/len(y)))+2e-6*math.Abs(want[i]), "%v", axes)
		}
	}
}

func outIndex(i int, shape []int, reduced [3]bool) int {
	out, stride := 0, 1
	for d := 2; d >= 0; d-- {
		if !reduced[d] {
			out += i % shape[d] * stride
			stride *= shape[d]
		}
		i /= shape[d]
	}
	return out
}

// TestHalf holds that 16-bit types are computed in float32 and rounded once (all but Softmax).
func TestHalf(t *testing.T) {
	f := onnx.Data[float32](random[float32](t, 6, 0.5, 2, 5000))
	half, brain := make([]onnx.F16, len(f)), make([]onnx.BF16, len(f))
	exact, coarse := make([]float32, len(f)), make([]float32, len(f))
	for i, v := range f {
		half[i], brain[i] = onnx.NewF16(v), onnx.NewBF16(v)
		exact[i], coarse[i] = half[i].Float32(), brain[i].Float32()
	}
	for _, op := range []string{"Exp", "ReduceSum", "LogSoftmax", "Neg", "ReduceLogSumExp"} {
		want := onnx.Data[float32](eval(t, op, tensors{tensor(t, exact, 50, 100)}))
		for i, v := range onnx.Data[onnx.F16](eval(t, op, tensors{tensor(t, half, 50, 100)})) {
			require.Equal(t, onnx.NewF16(want[i]), v, op)
		}
		want = onnx.Data[float32](eval(t, op, tensors{tensor(t, coarse, 50, 100)}))
		for i, v := range onnx.Data[onnx.BF16](eval(t, op, tensors{tensor(t, brain, 50, 100)})) {
			require.Equal(t, onnx.NewBF16(want[i]), v, op)
		}
	}
	sum := eval(t, "Add", tensors{tensor(t, half, 50, 100), tensor(t, half[:50], 50, 1)})
	for i, v := range onnx.Data[onnx.F16](sum) {
		require.Equal(t, onnx.NewF16(exact[i]+exact[i/100]), v)
	}
}
