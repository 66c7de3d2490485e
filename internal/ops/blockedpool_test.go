package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// TestPool_layouts: which poolings may be blocked.
func TestPool_layouts(t *testing.T) {
	image, volume := tensor(t, make([]float32, 2*20*5*5), 2, 20, 5, 5), tensor(t, make([]float32, 2*4*5*5*5), 2, 4, 5, 5, 5)
	check := func(want bool, op string, nOut int, in tensors, a ...onnx.Attribute) {
		t.Helper()
		b := shape.NewBuilder(op)
		vs := values{b.Graph.Input("x", in[0].Type())}
		if len(in) > 1 {
			vs = append(vs, b.Const(in[1]))
		}
		n := b.Node("", op, nOut, vs, a...)
		require.NoError(t, b.Err())
		got := ops.All.Find("", op).Layouts(&opdef.Layouts{
			Node:    n,
			Blocked: func(*onnx.Value) bool { return true },
			Const:   func(v *onnx.Value) *onnx.Tensor { return v.Init },
		})
		require.Zero(t, got.Gain)
		require.Equal(t, want, len(got.Out) == 1)
	}
	three := onnx.Ints("kernel_shape", 3, 3)
	check(true, "MaxPool", 1, tensors{image}, three)
	check(false, "MaxPool", 2, tensors{image}, three)
	check(false, "MaxPool", 1, tensors{volume}, onnx.Ints("kernel_shape", 3, 3, 3))
	check(false, "MaxPool", 1, tensors{tensor(t, make([]float64, 400), 1, 16, 5, 5)}, three)
	check(true, "AveragePool", 1, tensors{image}, three)
	check(true, "GlobalAveragePool", 1, tensors{image})
	check(true, "GlobalMaxPool", 1, tensors{image})
	check(false, "GlobalMaxPool", 1, tensors{volume})
	axes := func(v ...int64) *onnx.Tensor { return tensor(t, v, len(v)) }
	check(true, "ReduceMean", 1, tensors{image, axes(2, 3)})
	check(true, "ReduceMean", 1, tensors{image, axes(-1, -2)})
	check(false, "ReduceMean", 1, tensors{image, axes(1, 2)})
	check(false, "ReduceMean", 1, tensors{image, axes(3)})
	check(false, "ReduceMean", 1, tensors{image})
	check(false, "ReduceMean", 1, tensors{image, axes(2, 3)}, onnx.Int("keepdims", 0))
}
