package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func TestGrad_attention(t *testing.T) {
	r := func(seed uint64, shape ...int) *onnx.Tensor { return random[float64](t, seed, -1, 1, shape...) }
	q, k, v := r(1, 2, 2, 3, 2), r(2, 2, 2, 4, 2), r(3, 2, 2, 4, 3)
	checkGrad(t, "Attention", tensors{q, k, v})
	checkGrad(t, "Attention", tensors{q, k, v}, onnx.Int("is_causal", 1), onnx.Float("scale", 0.7), onnx.Float("softcap", 0.5))
	checkGrad(t, "Attention", tensors{q, k, v}, onnx.Int("left_window_size", 1), onnx.Int("right_window_size", 1))
	mask := tensor(t, []bool{true, false, true, true, false, false, false, false, true, true, true, false}, 3, 4)
	checkGrad(t, "Attention", tensors{q, k, v, mask})
	checkGrad(t, "Attention", tensors{q, k, v, nil, nil, nil, onnx.Vector[int64](4, 3)}, onnx.Int("is_causal", 1))
	checkGradOuts(t, "Attention", 3, tensors{q, k, v, nil, r(4, 2, 2, 1, 2), r(5, 2, 2, 1, 3)}, onnx.Int("is_causal", 1))
	checkGrad(t, "Attention", tensors{q, k, v, r(6, 3, 4)}, onnx.Float("softcap", 0.5))
	checkGrad(t, "Attention", tensors{q, k, v, r(6, 2, 1, 3, 3)})
	checkGradOuts(t, "Attention", 3, tensors{q, k, v, r(6, 1, 2, 1, 5), r(4, 2, 2, 1, 2), r(5, 2, 2, 1, 3)})
	heads := attrs{onnx.Int("q_num_heads", 4), onnx.Int("kv_num_heads", 2)}
	checkGrad(t, "Attention", tensors{r(1, 2, 3, 8), r(2, 2, 3, 4), r(3, 2, 3, 6)}, heads...)
	checkGradOuts(t, "Attention", 3, tensors{r(1, 1, 2, 8), r(2, 1, 2, 4), r(3, 1, 2, 6), nil, r(4, 1, 2, 2, 2), r(5, 1, 2, 2, 3)}, heads...)
	checkGrad(t, "Attention", tensors{r(1, 1, 1, 70, 2), r(2, 1, 1, 5, 2), r(3, 1, 1, 5, 2)})
}

func TestGrad_rotaryAndCache(t *testing.T) {
	cos, sin := random[float64](t, 2, -1, 1, 5, 2), random[float64](t, 3, -1, 1, 5, 2)
	ids := tensor(t, []int64{0, 3, 4, 1, 1, 0}, 2, 3)
	// The schema has no float64, so the check runs in float32; the operator is linear.
	for interleaved := range int64(2) {
		a := onnx.Int("interleaved", interleaved)
		g, feeds := node(t, "", "RotaryEmbedding", 1, tensors{random[float64](t, 1, -1, 1, 2, 2, 3, 4), cos, sin, ids}, a)
		require.NoError(t, gradcheck.Check(g, feeds, gradcheck.Options{Set: ops.All, Engine: engine(1), Only: []string{g.Inputs[0].Name, g.Inputs[1].Name, g.Inputs[2].Name}, Eps: 1e-2}))
		g, feeds = node(t, "", "RotaryEmbedding", 1, tensors{random[float64](t, 1, -1, 1, 2, 3, 12), cos, sin, ids}, a,
			onnx.Int("num_heads", 2), onnx.Int("rotary_embedding_dim", 4))
		require.NoError(t, gradcheck.Check(g, feeds, gradcheck.Options{Set: ops.All, Engine: engine(1), Only: []string{g.Inputs[0].Name, g.Inputs[1].Name, g.Inputs[2].Name}, Eps: 1e-2}))
	}
	cache, update := random[float64](t, 1, -1, 1, 2, 2, 4, 3), random[float64](t, 2, -1, 1, 2, 2, 2, 3)
	checkGrad(t, "TensorScatter", tensors{cache, update, onnx.Vector[int64](1, 2)})
	checkGrad(t, "TensorScatter", tensors{cache, update, onnx.Vector[int64](3, 0)}, onnx.Str("mode", "circular"))
	checkGrad(t, "TensorScatter", tensors{cache, update})
}

// TestSoftmax_long holds that sums of bfloat16 numbers that are rounded do not stand still in long rows.
func TestSoftmax_long(t *testing.T) {
	x, err := onnx.Zeros(onnx.BFloat16, 1, 1, 4096, 1)
	require.NoError(t, err)
	v := make([]onnx.BF16, 4096)
	for i := range v {
		v[i] = onnx.NewBF16(1)
	}
	y := eval(t, "Attention", tensors{tensor(t, v[:1], 1, 1, 1, 1), x, tensor(t, v, 1, 1, 4096, 1)})
	require.InDelta(t, 1, onnx.Data[onnx.BF16](y)[0].Float32(), 0.01)
	row, err := onnx.Zeros(onnx.BFloat16, 4096)
	require.NoError(t, err)
	require.InDelta(t, 1.0/4096, onnx.Data[onnx.BF16](eval(t, "Softmax", tensors{row}))[17].Float32(), 1e-5)
}
