package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// TestGrad_empty holds that tensors without elements pass through operators and their gradients.
func TestGrad_empty(t *testing.T) {
	z := func(shape ...int) *onnx.Tensor {
		x, err := onnx.Zeros(onnx.Float64, shape...)
		require.NoError(t, err)
		return x
	}
	check := func(op string, in tensors, a ...onnx.Attribute) {
		t.Helper()
		g, feeds := node(t, "", op, 1, in, a...)
		require.NoError(t, gradcheck.Check(g, feeds, gradcheck.Options{Set: ops.All, Engine: engine(2)}), op)
	}
	check("LayerNormalization", tensors{z(0, 3), z(3), z(3)})
	check("LayerNormalization", tensors{z(3, 0), z(0), z(0)})
	check("RMSNormalization", tensors{z(3, 0), z(0)})
	check("InstanceNormalization", tensors{z(0, 4, 2), z(4), z(4)})
	check("GroupNormalization", tensors{z(1, 4, 0), z(4), z(4)}, onnx.Int("num_groups", 2))
	check("LRN", tensors{z(0, 2, 3)}, onnx.Int("size", 3))
	check("LpNormalization", tensors{z(0, 2)})
	check("ConvTranspose", tensors{z(0, 2, 3), z(2, 1, 2)})
	check("GlobalLpPool", tensors{z(2, 0, 3)})
	check("Attention", tensors{z(1, 2, 0, 4), z(1, 2, 3, 4), z(1, 2, 3, 4)})
	check("Attention", tensors{z(1, 2, 3, 4), z(1, 2, 0, 4), z(1, 2, 0, 4)})
	check("Einsum", tensors{z(2, 0), z(0, 3)}, onnx.Str("equation", "ij,jk->ik"))
	check("Det", tensors{z(0, 2, 2)})
	check("GridSample", tensors{z(0, 1, 2, 2), z(0, 2, 2, 2)})
	check("DeformConv", tensors{z(0, 2, 3, 3), z(2, 2, 2, 2), z(0, 8, 2, 2)})
	require.Equal(t, []int{0, 2}, eval(t, "QuantizeLinear", tensors{z(0, 2), onnx.Scalar(1.0)}).Shape)
	boxes, err := onnx.Zeros(onnx.Float32, 1, 0, 4)
	require.NoError(t, err)
	scores, err := onnx.Zeros(onnx.Float32, 1, 1, 0)
	require.NoError(t, err)
	require.Equal(t, []int{0, 3}, eval(t, "NonMaxSuppression", tensors{boxes, scores, onnx.Scalar[int64](3)}).Shape)
}
