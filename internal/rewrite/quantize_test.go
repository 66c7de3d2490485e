package rewrite_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// TestOptimise_quantize holds the results of operators on bytes against those of the real numbers that the bytes stand for: one
// step of difference at most, which a rounding of the real operators may explain, and as a rule none.
func TestOptimise_quantize(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 5 {
		image, other := drawnTensor(t, r, 2, 3, 9, 8), drawnBytes(t, r, 2, 20, 9, 8)
		want := run(t, prepare(t, goldenModel(t, "quantize"), rewrite.Options{}), image, other)
		g := prepare(t, goldenModel(t, "quantize"), rewrite.Options{})
		optimise(t, g, rewrite.Options{Level: 2})
		require.Equal(t, []string{
			"QuantizeLinear", "QuantConv", "QuantAdd", "QuantMax", "QuantMean", "Flatten", "Reshape", "QuantConv", "Reshape", "DequantizeLinear",
		}, opTypes(g))
		for i, got := range run(t, g, image, other) {
			if got.Elem == onnx.Float32 {
				require.InDeltaSlice(t, onnx.Data[float32](want[i]), onnx.Data[float32](got), 0.0101)
				continue
			}
			off := 0
			for j, v := range onnx.Data[uint8](got) {
				d := math.Abs(float64(v) - float64(onnx.Data[uint8](want[i])[j]))
				require.LessOrEqual(t, d, 1.0, "output %d at %d", i, j)
				off += int(d)
			}
			require.LessOrEqual(t, off, 1+got.Len()/200, "output %d", i)
		}
	}
}

func drawnBytes(t *testing.T, r *rand.Rand, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.Zeros(onnx.Uint8, shape...)
	require.NoError(t, err)
	for i := range x.Mutable() {
		x.Mutable()[i] = byte(r.IntN(256))
	}
	return x
}

// TestOptimise_quantize_linear takes QLinearConv, with one scale for all weights.
func TestOptimise_quantize_linear(t *testing.T) {
	const text = `<ir_version: 8, opset_import: ["" : 17]> g (uint8[N,2,5,5] x) => (uint8[N,2,3,3] y)
		<int8[2,2,3,3] w = {1,2,3,4,5,6,7,8,9,-1,-2,-3,-4,-5,-6,-7,-8,-9,9,8,7,6,5,4,3,2,1,-9,-8,-7,-6,-5,-4,-3,-2,-1}, int32[2] b = {100, -100},
		 float x_scale = {0.1}, uint8 x_zero = {7}, float w_scale = {0.2}, int8 w_zero = {0}, float y_scale = {0.3}, uint8 y_zero = {99}>
		{ y = QLinearConv (x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, b) }`
	m, err := onnx.ParseText(text)
	require.NoError(t, err)
	x := drawnBytes(t, rand.New(rand.NewPCG(8, 8)), 3, 2, 5, 5)
	want := run(t, prepare(t, m, rewrite.Options{}), x)
	g := prepare(t, m, rewrite.Options{})
	optimise(t, g, rewrite.Options{Level: 2})
	require.Equal(t, []string{"QuantConv"}, opTypes(g))
	require.Equal(t, want[0].Bytes(), run(t, g, x)[0].Bytes())
}
