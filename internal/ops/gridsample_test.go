package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func TestGrad_gridSample(t *testing.T) {
	x, places := random[float64](t, 1, -1, 1, 2, 2, 4, 3), random[float64](t, 2, -1.7, 1.7, 2, 3, 2, 2)
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		for _, padding := range []string{"zeros", "border", "reflection"} {
			for align := range int64(2) {
				checkGrad(t, "GridSample", tensors{x, places}, onnx.Str("mode", mode), onnx.Str("padding_mode", padding), onnx.Int("align_corners", align))
			}
		}
	}
	checkGrad(t, "GridSample", tensors{random[float64](t, 1, -1, 1, 1, 1, 2, 3, 2), random[float64](t, 2, -1, 1, 1, 1, 2, 2, 3)})
}

// TestGridSample_types compares types without a fast way with float64.
func TestGridSample_types(t *testing.T) {
	places := random[float64](t, 2, -1.3, 1.3, 1, 3, 4, 2)
	ints := []int32{3, -7, 100, 12, 0, 5, -2, 8, 9, 1, -50, 6}
	reals := make([]float64, len(ints))
	complexes := make([]complex64, len(ints))
	words := make([]string, len(ints))
	bools := make([]bool, len(ints))
	for i, v := range ints {
		reals[i], complexes[i], words[i], bools[i] = float64(v), complex(float32(v), float32(2*v)), string(rune('a'+i)), v != 0
	}
	x := tensor(t, reals, 1, 1, 3, 4)
	text, err := onnx.Strings(words, 1, 1, 3, 4)
	require.NoError(t, err)
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		a := attrs{onnx.Str("mode", mode)}
		want := onnx.Data[float64](eval(t, "GridSample", tensors{x, places}, a...))
		gotInts := onnx.Data[int32](eval(t, "GridSample", tensors{tensor(t, ints, 1, 1, 3, 4), places}, a...))
		gotComplex := onnx.Data[complex64](eval(t, "GridSample", tensors{tensor(t, complexes, 1, 1, 3, 4), places}, a...))
		gotBools := onnx.Data[bool](eval(t, "GridSample", tensors{tensor(t, bools, 1, 1, 3, 4), places}, a...))
		for i, v := range want {
			require.Equal(t, int32(v), gotInts[i])
			require.InDelta(t, v, real(gotComplex[i]), 1e-4)
			require.InDelta(t, 2*v, imag(gotComplex[i]), 1e-4)
			if mode == "nearest" {
				require.Equal(t, v != 0, gotBools[i])
			}
		}
		if mode == "nearest" {
			got := eval(t, "GridSample", tensors{text, places}, a...).StringData()
			for i, v := range want {
				if v != 0 {
					require.Equal(t, ints[got[i][0]-'a'], int32(v))
				}
			}
		}
	}
}
