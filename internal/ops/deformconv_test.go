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

func TestGrad_deformConvAxes(t *testing.T) {
	r := func(seed uint64, shape ...int) *onnx.Tensor { return random[float64](t, seed, -1, 1, shape...) }
	checkGrad(t, "DeformConv", tensors{r(1, 2, 2, 5), r(2, 3, 2, 2), r(3, 2, 2, 4)})
	checkGrad(t, "DeformConv", tensors{r(1, 1, 2, 3, 2, 3), r(2, 2, 1, 2, 1, 2), r(3, 1, 24, 2, 2, 2), r(4, 2), r(5, 1, 8, 2, 2, 2)},
		onnx.Int("group", 2), onnx.Int("offset_group", 2))
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

// TestDeformConv_volume holds that without offsets it is a convolution of volumes, and that whole offsets move the image.
func TestDeformConv_volume(t *testing.T) {
	x, w := random[float64](t, 1, -1, 1, 1, 2, 4, 3, 5), random[float64](t, 2, -1, 1, 2, 2, 2, 2, 2)
	offset, err := onnx.Zeros(onnx.Float64, 1, 24, 3, 2, 4)
	require.NoError(t, err)
	want := onnx.Data[float64](eval(t, "Conv", tensors{x, w}))
	require.InDeltaSlice(t, want, onnx.Data[float64](eval(t, "DeformConv", tensors{x, w, offset})), 1e-12)
	for i := range onnx.Data[float64](offset) {
		if i/24%3 == 2 { // along the last axis
			onnx.Data[float64](offset)[i] = 1
		}
	}
	got := onnx.Data[float64](eval(t, "DeformConv", tensors{x, w, offset}))
	for i := range want {
		if i%4 < 3 {
			require.InDelta(t, want[i+1], got[i], 1e-12)
		}
	}
}
