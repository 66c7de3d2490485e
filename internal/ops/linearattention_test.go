package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// checkSingle compares gradients in float32, for operators whose schema has no float64.
func checkSingle(t *testing.T, op string, nOut int, in tensors, a ...onnx.Attribute) {
	t.Helper()
	g, feeds := node(t, "", op, nOut, in, a...)
	o := gradcheck.Options{Set: ops.All, Engine: engine(1), Eps: 4e-3, Rtol: 5e-3, Atol: 1e-3}
	require.NoError(t, gradcheck.Check(g, feeds, o), op)
}

func TestGrad_linearAttention(t *testing.T) {
	r := func(seed uint64, shape ...int) *onnx.Tensor { return random[float64](t, seed, -0.7, 0.7, shape...) }
	q, k, v, past := r(1, 2, 3, 8), r(2, 2, 3, 4), r(3, 2, 3, 6), r(4, 2, 2, 2, 3)
	heads := func(rule string) attrs {
		return attrs{onnx.Int("q_num_heads", 4), onnx.Int("kv_num_heads", 2), onnx.Str("update_rule", rule)}
	}
	checkSingle(t, "LinearAttention", 2, tensors{q, k, v}, heads("linear")...)
	checkSingle(t, "LinearAttention", 2, tensors{q, k, v, past, r(5, 2, 3, 4)}, heads("gated")...)
	checkSingle(t, "LinearAttention", 2, tensors{q, k, v, past, nil, r(6, 2, 3, 1)}, heads("delta")...)
	checkSingle(t, "LinearAttention", 2, tensors{q, k, v, past, r(5, 2, 3, 2), r(6, 2, 3, 2)}, append(heads("gated_delta"), onnx.Float("scale", 0.8))...)
}

func TestGrad_causalConv(t *testing.T) {
	r := func(seed uint64, shape ...int) *onnx.Tensor { return random[float64](t, seed, -1, 1, shape...) }
	checkSingle(t, "CausalConvWithState", 2, tensors{r(1, 2, 3, 4), r(2, 3, 1, 3)})
	checkSingle(t, "CausalConvWithState", 2, tensors{r(1, 2, 3, 4), r(2, 3, 1, 3), r(3, 3), r(4, 2, 3, 2)}, onnx.Str("activation", "silu"))
	checkSingle(t, "CausalConvWithState", 2, tensors{r(1, 1, 2, 1), r(2, 2, 1, 4), nil, r(4, 1, 2, 3)})
}
