package initializer_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/train/initializer"
	"github.com/stretchr/testify/require"
)

const draws = 200_000

var fans = initializer.Fans{In: 300, Out: 100}

func draw(i initializer.Initializer, n int, seed uint64, name string) []float64 {
	v := make([]float64, n)
	i.Fill(v, fans, initializer.Stream(seed, name))
	return v
}

func moments(v []float64) (mean, variance, most float64) {
	for _, x := range v {
		mean += x / float64(len(v))
		most = max(most, math.Abs(x))
	}
	for _, x := range v {
		variance += (x - mean) * (x - mean) / float64(len(v))
	}
	return mean, variance, most
}

// The moments and bounds are those of the papers' formulas, within six standard errors.
func TestFill(t *testing.T) {
	for _, c := range []struct {
		i              initializer.Initializer
		variance, most float64 // most: the bound of the distribution
	}{
		{initializer.GlorotUniform{}, 2.0 / 400, math.Sqrt(6.0 / 400)},
		{initializer.HeUniform{}, 2.0 / 300, math.Sqrt(6.0 / 300)},
		{initializer.FanInUniform{}, 1.0 / 900, math.Sqrt(1.0 / 300)},
		{initializer.GlorotNormal{}, 2.0 / 400, 2 * math.Sqrt(2.0/400) / 0.8796},
		{initializer.HeNormal{}, 2.0 / 300, 2 * math.Sqrt(2.0/300) / 0.8796},
		{initializer.LecunNormal{}, 1.0 / 300, 2 * math.Sqrt(1.0/300) / 0.8796},
		{initializer.Uniform{Min: -3, Max: 3}, 3, 3},
		{initializer.Normal{Std: 2}, 4, math.Inf(1)},
	} {
		mean, variance, most := moments(draw(c.i, draws, 1, "w"))
		require.InDelta(t, 0, mean, 6*math.Sqrt(c.variance/draws), c.i)
		require.InEpsilon(t, c.variance, variance, 6*math.Sqrt(2.0/draws), c.i)
		require.LessOrEqual(t, most, c.most*(1+1e-4), c.i)
		if !math.IsInf(c.most, 1) {
			require.Greater(t, most, 0.99*c.most, c.i)
		}
	}
}

func TestFill_constants(t *testing.T) {
	require.Equal(t, []float64{0, 0}, draw(initializer.Zeros{}, 2, 1, "w"))
	require.Equal(t, []float64{2.5, 2.5}, draw(initializer.Constant{Value: 2.5}, 2, 1, "w"))
	mean, _, _ := moments(draw(initializer.Normal{Mean: 7, Std: 0.1}, 1000, 1, "w"))
	require.InDelta(t, 7, mean, 0.02)
	for _, x := range draw(initializer.Uniform{Min: 2, Max: 3}, 1000, 1, "w") {
		require.GreaterOrEqual(t, x, 2.0)
		require.Less(t, x, 3.0)
	}
}

// No fans, no elements: bounds stay finite where PyTorch's do.
func TestFill_empty(t *testing.T) {
	v := []float64{9}
	initializer.FanInUniform{}.Fill(v, initializer.Fans{}, initializer.Stream(1, "w"))
	require.LessOrEqual(t, math.Abs(v[0]), 1.0)
	initializer.GlorotNormal{}.Fill(nil, initializer.Fans{}, initializer.Stream(1, "w"))
}

func TestStream(t *testing.T) {
	i := initializer.GlorotUniform{}
	require.Equal(t, draw(i, 10, 1, "a"), draw(i, 10, 1, "a"))
	require.NotEqual(t, draw(i, 10, 1, "a"), draw(i, 10, 1, "b"))
	require.NotEqual(t, draw(i, 10, 1, "a"), draw(i, 10, 2, "a"))
	require.Equal(t, draw(i, 10, 1, "a"), draw(i, 20, 1, "a")[:10])
}

func TestString(t *testing.T) {
	for i, want := range map[initializer.Initializer]string{
		initializer.Zeros{}: "zeros", initializer.Constant{Value: 1}: "constant(1)", initializer.Uniform{Min: -1, Max: 2}: "uniform(-1, 2)",
		initializer.Normal{Std: 0.5}: "normal(0, 0.5)", initializer.GlorotUniform{}: "glorot_uniform", initializer.HeUniform{}: "he_uniform",
		initializer.FanInUniform{}: "fan_in_uniform", initializer.GlorotNormal{}: "glorot_normal", initializer.HeNormal{}: "he_normal",
		initializer.LecunNormal{}: "lecun_normal",
	} {
		require.Equal(t, want, fmt.Sprint(i))
	}
}
