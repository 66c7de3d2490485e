package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// TestGrad_signal holds the gradients of the transforms for signals longer and shorter than the transform, real and complex.
func TestGrad_signal(t *testing.T) {
	one, side := onnx.Int("inverse", 1), onnx.Int("onesided", 1)
	for parts := 1; parts <= 2; parts++ {
		x := random[float64](t, 1, -1, 1, 2, 5, parts)
		for _, n := range []int64{0, 3, 5, 8} {
			in := tensors{x, nil}
			if n > 0 {
				in[1] = onnx.Scalar(n)
			}
			checkGrad(t, "DFT", in)
			checkGrad(t, "DFT", in, one)
			if parts == 1 {
				checkGrad(t, "DFT", in, side)
			}
		}
		checkGrad(t, "DFT", tensors{x, onnx.Scalar[int64](4), onnx.Scalar[int64](0)})
		signal, window := random[float64](t, 2, -1, 1, 2, 9, parts), random[float64](t, 3, 0, 1, 4)
		checkGrad(t, "STFT", tensors{signal, onnx.Scalar[int64](2), window, onnx.Scalar[int64](4)})
		checkGrad(t, "STFT", tensors{signal, onnx.Scalar[int64](2), window}, onnx.Int("onesided", 0))
		checkGrad(t, "STFT", tensors{signal, onnx.Scalar[int64](3), nil, onnx.Scalar[int64](5)})
	}
}

// TestWindow_short holds the windows of one element and of none, where the formulas divide by 0.
func TestWindow_short(t *testing.T) {
	for _, op := range []string{"HannWindow", "HammingWindow", "BlackmanWindow"} {
		require.Equal(t, []float32{1}, onnx.Data[float32](eval(t, op, tensors{onnx.Scalar[int64](1)}, onnx.Int("periodic", 0))), op)
		require.Empty(t, onnx.Data[float32](eval(t, op, tensors{onnx.Scalar[int32](0)})), op)
	}
}

// TestStringSplit holds what official cases leave out: cuts from the left, and white space at the ends.
func TestStringSplit(t *testing.T) {
	split := func(s string, a ...onnx.Attribute) []string {
		x, err := onnx.Strings([]string{s}, 1)
		require.NoError(t, err)
		return eval(t, "StringSplit", tensors{x}, a...).StringData()
	}
	once := onnx.Int("maxsplit", 1)
	require.Equal(t, []string{"a", "b  c "}, split(" a b  c ", once))
	require.Equal(t, []string{"a", "b", "c"}, split("\ta \n b\u00a0c "))
	require.Equal(t, []string{"", "a,b"}, split(",a,b", once, onnx.Str("delimiter", ",")))
	require.Equal(t, []string{""}, split("", onnx.Str("delimiter", ",")))
	require.Empty(t, split("  "))
}
