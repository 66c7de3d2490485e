package ops_test

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func cast[T, S onnx.Number](t *testing.T, x ...S) []T {
	t.Helper()
	y := eval(t, "Cast", tensors{onnx.Vector(x...)}, onnx.Int("to", int64(onnx.ElemOf[T]())))
	require.Equal(t, []int{len(x)}, y.Shape)
	return onnx.Data[T](y)
}

// TestCast_outOfRange holds the rule that NaN and numbers out of range give the smallest number of a middle type, whose low
// bits remain, wherever they stand in a tensor.
func TestCast_outOfRange(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	x := []float64{nan, inf, -inf, 1e30, -1e30, 3e9, -3e9, 300.7, -300.7, -1.5, 0x1p63, 0x1p64}
	require.Equal(t, []int8{0, 0, 0, 0, 0, 0, 0, 44, -44, -1, 0, 0}, cast[int8](t, x...))
	require.Equal(t, []uint8{0, 0, 0, 0, 0, 0, 0, 44, 212, 255, 0, 0}, cast[uint8](t, x...))
	low := int32(math.MinInt32)
	require.Equal(t, []int32{low, low, low, low, low, low, low, 300, -300, -1, low, low}, cast[int32](t, x...))
	require.Equal(t, []uint32{0, 0, 0, 0, 0, 3000000000, 1294967296, 300, 4294966996, 4294967295, 0, 0}, cast[uint32](t, x...))
	min := int64(math.MinInt64)
	require.Equal(t, []int64{min, min, min, min, min, 3e9, -3e9, 300, -300, -1, min, min}, cast[int64](t, x...))
	require.Equal(t, []uint64{1 << 63, 0, 1 << 63, 0, 1 << 63, 3e9}, cast[uint64](t, x[:6]...))
	require.Equal(t, []uint64{1 << 63, 0}, cast[uint64](t, x[10:]...))
	for n := range 20 {
		v := make([]float32, 20)
		v[n] = float32(nan)
		require.Equal(t, low, cast[int32](t, v...)[n])
		require.True(t, cast[bool](t, v...)[n])
	}
}

func TestCast_integers(t *testing.T) {
	require.Equal(t, []int8{-56, 1, -1}, cast[int8](t, int16(200), 257, -1))
	require.Equal(t, []uint64{math.MaxUint64}, cast[uint64](t, int8(-1)))
	require.Equal(t, []float32{16777216, 16777220}, cast[float32](t, int32(16777217), 16777219), "ties go to even")
	require.Equal(t, []float32{0x1p62 + 0x1p39}, cast[float32](t, int64(1<<62+1<<38+1)), "rounded once")
	require.Equal(t, []bool{true, false, true}, cast[bool](t, math.NaN(), math.Copysign(0, -1), 0.1))
	require.Equal(t, []complex64{3}, cast[complex64](t, int32(3)))
}

// TestCast_roundsOnce casts numbers that would round wrongly on a way over float32.
func TestCast_roundsOnce(t *testing.T) {
	x := 1 + 0x1p-11 + 0x1p-40 // just above a tie of float16
	require.Equal(t, onnx.NewF16(1+0x1p-10), cast[onnx.F16](t, x)[0])
	require.Equal(t, onnx.NewF16(1), cast[onnx.F16](t, 1+0x1p-11)[0])
	require.Equal(t, onnx.NewBF16(1+0x1p-7), cast[onnx.BF16](t, 1+0x1p-8+0x1p-40)[0])
}

func TestCast_strings(t *testing.T) {
	in, err := onnx.Strings([]string{"1e-5", "+INF", "-inf", "NaN", " 3.5 ", "1e400"}, 6)
	require.NoError(t, err)
	y := onnx.Data[float64](eval(t, "Cast", tensors{in}, onnx.Int("to", int64(onnx.Float64))))
	require.True(t, math.IsNaN(y[3]))
	y[3] = 0
	require.Equal(t, []float64{1e-5, math.Inf(1), math.Inf(-1), 0, 3.5, math.Inf(1)}, y)
	in, err = onnx.Strings([]string{"9007199254740993", "-7.9"}, 2)
	require.NoError(t, err)
	require.Equal(t, []int64{9007199254740993, -7}, onnx.Data[int64](eval(t, "Cast", tensors{in}, onnx.Int("to", int64(onnx.Int64)))))
	s := eval(t, "Cast", tensors{onnx.Vector[float32](1, 0.1, 1e-5, 314.15926, float32(math.NaN()))}, onnx.Int("to", int64(onnx.String)))
	require.Equal(t, []string{"1.0", "0.1", "1e-05", "314.15927", "NaN"}, s.StringData())
	in, err = onnx.Strings([]string{"one"}, 1)
	require.NoError(t, err)
	_, err = tryEval(t, "Cast", tensors{in}, onnx.Int("to", int64(onnx.Int64)))
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

// TestCast_allTypes casts every type to every other and back to the first for numbers that all of them hold.
func TestCast_allTypes(t *testing.T) {
	for from := onnx.Float32; from.Valid(); from++ {
		for to := onnx.Float32; to.Valid(); to++ {
			x := eval(t, "Cast", tensors{onnx.Vector[int64](1, 1, 1, 1, 1)}, onnx.Int("to", int64(from)))
			y := eval(t, "Cast", tensors{x}, onnx.Int("to", int64(to)))
			require.Equal(t, to, y.Elem)
			z := eval(t, "Cast", tensors{y}, onnx.Int("to", int64(from)))
			require.Equal(t, x.Bytes(), z.Bytes(), "%v -> %v", from, to)
		}
	}
}
