package ops_test

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// TestMatMulInteger_exact holds sums beyond what float32 counts, and zero points by row and column.
func TestMatMulInteger_exact(t *testing.T) {
	const k = 5000
	a, b := make([]uint8, 2*k), make([]int8, 2*k)
	for i := range a {
		a[i], b[i] = uint8(255-i%3), int8(-128+i%2)
	}
	az, bz := []uint8{1, 7}, []int8{5, -3}
	want := make([]int32, 4)
	for i := range 2 {
		for j := range 2 {
			for p := range k {
				want[2*i+j] += (int32(a[i*k+p]) - int32(az[i])) * (int32(b[p*2+j]) - int32(bz[j]))
			}
		}
	}
	y := eval(t, "MatMulInteger", tensors{tensor(t, a, 2, k), tensor(t, b, k, 2), tensor(t, az, 2), tensor(t, bz, 2)})
	require.Equal(t, want, onnx.Data[int32](y))
}

// TestConvInteger_padding holds that the padding counts as the zero point.
func TestConvInteger_padding(t *testing.T) {
	x, w := tensor(t, []uint8{10, 20, 30}, 1, 1, 3), tensor(t, []uint8{1, 2, 3, 4, 5, 6}, 2, 1, 3)
	ins := tensors{x, w, onnx.Scalar[uint8](10), onnx.Vector[uint8](1, 4)}
	y := eval(t, "ConvInteger", ins, onnx.Ints("pads", 1, 1))
	require.Equal(t, []int32{20, 50, 20, 20, 50, 20}, onnx.Data[int32](y))
}

func TestQLinearConv_channels(t *testing.T) {
	x, w := tensor(t, []uint8{12, 9}, 1, 1, 2), tensor(t, []int8{2, -4}, 2, 1, 1)
	y := eval(t, "QLinearConv", tensors{
		x, onnx.Scalar[float32](0.5), onnx.Scalar[uint8](10), w, onnx.Vector[float32](1, 0.25), onnx.Vector[int8](0, 0),
		onnx.Scalar[float32](0.5), onnx.Scalar[uint8](3), onnx.Vector[int32](1, 2),
	})
	require.Equal(t, []uint8{8, 2, 1, 5}, onnx.Data[uint8](y)) // 5+3, -1+3; -1.5 and 1.5 to even, then +3
}

func TestQuantizeLinear_edges(t *testing.T) {
	x := tensor(t, []float32{0.5, 1.5, -2.5, 1e9, -1e9, float32(math.NaN())}, 6)
	y := eval(t, "QuantizeLinear", tensors{x, onnx.Scalar[float32](1), onnx.Scalar[int8](1)})
	require.Equal(t, []int8{1, 3, -1, 127, -128, 1}, onnx.Data[int8](y))
	back := eval(t, "DequantizeLinear", tensors{y, onnx.Scalar[float32](0.5), onnx.Scalar[int8](1)})
	require.Equal(t, []float32{0, 1, -1, 63, -64.5, 0}, onnx.Data[float32](back))
	_, err := tryEval(t, "QuantizeLinear", tensors{tensor(t, []float32{1, 2, 3, 4}, 2, 2), onnx.Vector[float32](1, 2, 3)})
	require.ErrorContains(t, err, "expected one scale for each of 2 elements of axis 1")
}
