package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func TestGrad_deformConv(t *testing.T) {
	r := func(seed uint64, shape ...int) *onnx.Tensor { return random[float64](t, seed, -1, 1, shape...) }
	checkGrad(t, "DeformConv", tensors{r(1, 2, 2, 3, 3), r(2, 2, 2, 2, 2), r(3, 2, 8, 2, 2)})
	checkGrad(t, "DeformConv", tensors{r(1, 1, 4, 3, 4), r(2, 2, 2, 2, 2), r(3, 1, 16, 2, 2), r(4, 2), r(5, 1, 8, 2, 2)},
		onnx.Int("group", 2), onnx.Int("offset_group", 2), onnx.Ints("pads", 0, 0, 1, 1), onnx.Ints("strides", 2, 2), onnx.Ints("dilations", 1, 2))
}

// TestDeformConv_plain holds that without offsets it is a convolution.
func TestDeformConv_plain(t *testing.T) {
	x, w := random[float64](t, 1, -1, 1, 2, 4, 5, 5), random[float64](t, 2, -1, 1, 6, 2, 3, 3)
	offset, err := onnx.Zeros(onnx.Float64, 2, 18, 3, 3)
	require.NoError(t, err)
	a := attrs{onnx.Int("group", 2), onnx.Ints("strides", 2, 2), onnx.Ints("pads", 1, 1, 1, 1)}
	want := onnx.Data[float64](eval(t, "Conv", tensors{x, w}, a...))
	got := onnx.Data[float64](eval(t, "DeformConv", tensors{x, w, offset}, a...))
	require.InDeltaSlice(t, want, got, 1e-12)
}
