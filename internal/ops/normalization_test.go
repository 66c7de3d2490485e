package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func TestGrad_normalization(t *testing.T) {
	x := random[float64](t, 1, -1, 1, 2, 4, 3)
	for axis := int64(-3); axis < 3; axis++ {
		shape := []int{2, 4, 3}[(axis+3)%3:]
		scale, bias := random[float64](t, 2, -1, 1, shape...), random[float64](t, 3, -1, 1, shape...)
		checkGrad(t, "LayerNormalization", tensors{x, scale, bias}, onnx.Int("axis", axis))
		checkGrad(t, "LayerNormalization", tensors{x, scale}, onnx.Int("axis", axis), onnx.Float("epsilon", 0.1))
		checkGrad(t, "RMSNormalization", tensors{x, scale}, onnx.Int("axis", axis))
		checkGrad(t, "LpNormalization", tensors{x}, onnx.Int("axis", axis), onnx.Int("p", 1))
		checkGrad(t, "LpNormalization", tensors{x}, onnx.Int("axis", axis), onnx.Int("p", 2))
	}
	one := random[float64](t, 2, -1, 1, 1)
	checkGrad(t, "LayerNormalization", tensors{x, one, random[float64](t, 2, -1, 1, 4, 1)}, onnx.Int("axis", 1))
	checkGrad(t, "RMSNormalization", tensors{x, random[float64](t, 2, -1, 1, 3)}, onnx.Int("axis", 1))
	c := tensors{x, random[float64](t, 2, -1, 1, 4), random[float64](t, 3, -1, 1, 4)}
	checkGrad(t, "InstanceNormalization", c)
	for _, groups := range []int64{1, 2, 4} {
		checkGrad(t, "GroupNormalization", c, onnx.Int("num_groups", groups))
	}
	image := random[float64](t, 4, -1, 1, 2, 5, 2, 2)
	for size := int64(1); size < 7; size++ {
		checkGrad(t, "LRN", tensors{image}, onnx.Int("size", size), onnx.Float("alpha", 0.5), onnx.Float("bias", 1.5))
	}
}

// TestGroupNormalization_old holds that before opset 21 scale and bias count by groups.
func TestGroupNormalization_old(t *testing.T) {
	x := random[float32](t, 1, -1, 1, 2, 4, 3)
	want := eval(t, "GroupNormalization", tensors{x, onnx.Vector[float32](2, 2, 3, 3), onnx.Vector[float32](0, 0, 1, 1)}, onnx.Int("num_groups", 2))
	got := old(t, 18, "GroupNormalization", tensors{x, onnx.Vector[float32](2, 3), onnx.Vector[float32](0, 1)}, onnx.Int("num_groups", 2))
	require.Equal(t, onnx.Data[float32](want), onnx.Data[float32](got))
}

func TestLpNormalization_zeros(t *testing.T) {
	y := eval(t, "LpNormalization", tensors{tensor(t, []float32{0, 0, 3, 4}, 2, 2)})
	require.Equal(t, []float32{0, 0, 0.6, 0.8}, onnx.Data[float32](y))
}
