package vec_test

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/stretchr/testify/require"
)

// two applies a kernel to two lists.
func two[T, R any](f func(y []R, x [][]T), a, b []T) []R {
	y := make([]R, len(a))
	f(y, [][]T{a, b})
	return y
}

func TestArith(t *testing.T) {
	a, b := []int8{-128, 127, 7, -7}, []int8{-1, 2, -2, 2}
	require.Equal(t, []int8{-128, 63, -3, -3}, two(vec.Arith[int8](vec.Div), a, b))
	require.Equal(t, []int8{0, 1, -1, 1}, two(vec.Arith[int8](vec.Mod), a, b))
	require.Equal(t, []int8{0, 1, 1, -1}, two(vec.Arith[int8](vec.Fmod), a, b))
	require.Equal(t, []int8{127, -127, 5, -5}, two(vec.Arith[int8](vec.Add), a, b))
	require.Equal(t, []int8{-128, -2, -14, -14}, two(vec.Arith[int8](vec.Mul), a, b))
	require.Nil(t, vec.Arith[int8](vec.Equal))
}

func TestArith_nan(t *testing.T) {
	nan := math.NaN()
	for _, op := range []vec.Op{vec.Min, vec.Max} {
		for _, v := range two(vec.Arith[float64](op), []float64{nan, 1, nan}, []float64{1, nan, nan}) {
			require.True(t, math.IsNaN(v))
		}
	}
	require.Equal(t, []bool{false, false}, two(vec.Compare[float64](vec.LessOrEqual), []float64{nan, 1}, []float64{1, nan}))
}

func TestArith_inPlace(t *testing.T) {
	x := []float32{1, -2, 3}
	vec.Arith[float32](vec.Relu)(x, [][]float32{x})
	require.Equal(t, []float32{1, 0, 3}, x)
	vec.Arith[float32](vec.Sub)(x, [][]float32{{5, 5, 5}, x})
	require.Equal(t, []float32{4, 5, 2}, x)
}

func TestBits(t *testing.T) {
	a, b := []int16{-8, -8, 5, 5, 1}, []int16{1, 100, -1, 16, 15}
	require.Equal(t, []int16{-16, 0, 0, 0, math.MinInt16}, two(vec.Bits[int16](vec.ShiftLeft), a, b))
	require.Equal(t, []int16{-4, -1, 0, 0, 0}, two(vec.Bits[int16](vec.ShiftRight), a, b))
}

func TestSoftplus(t *testing.T) {
	for _, v := range []float64{-800, -30, -1, 0, 1, 30, 800} {
		want := math.Log1p(math.Exp(v))
		if v > 100 {
			want = v
		}
		require.InDelta(t, want, vec.Softplus(v), 1e-12)
	}
	require.Zero(t, vec.Sigmoid(-1000))
	require.Equal(t, 1.0, vec.Sigmoid(1000))
}
