package ops_test

import (
	"context"
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// TestRandom_seeds compares seeded nodes with numpy's RandomState(7): rand(4)*3-1, randn(4)*2+0.5 and binomial(1, p).
func TestRandom_seeds(t *testing.T) {
	seed, f64 := onnx.Float("seed", 7), onnx.Int("dtype", int64(onnx.Float64))
	y := eval(t, "RandomUniform", nil, seed, f64, onnx.Ints("shape", 2, 2), onnx.Float("low", -1), onnx.Float("high", 2))
	require.Equal(t, []int{2, 2}, y.Shape)
	require.InDeltaSlice(t, []float64{-0.7710751318781285, 1.3397563767203438, 0.3152276943226804, 1.1703955334928238}, onnx.Data[float64](y), 1e-14)
	y = eval(t, "RandomNormal", nil, seed, f64, onnx.Ints("shape", 4), onnx.Float("mean", 0.5), onnx.Float("scale", 2))
	require.InDeltaSlice(t, []float64{3.881051407600712, -0.43187474108166557, 0.5656403273571688, 1.3150325659930155}, onnx.Data[float64](y), 1e-14)
	y = eval(t, "Bernoulli", tensors{onnx.Vector(.1, .3, .5, .6, .8, .4, .55, .9)}, seed, onnx.Int("dtype", int64(onnx.Uint8)))
	require.Equal(t, []uint8{0, 1, 0, 0, 0, 0, 1, 1}, onnx.Data[uint8](y))
}

// sampled runs one node without a seed attribute under the given session seed.
func sampled(t *testing.T, seed uint64, op string, in tensors, a ...onnx.Attribute) *onnx.Tensor {
	t.Helper()
	g, feeds := node(t, "", op, 1, in, a...)
	p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: ops.All})
	require.NoError(t, err)
	r := p.NewRunner()
	defer r.Close()
	r.Seed = seed
	var views []opdef.View
	for _, v := range g.Inputs {
		views = append(views, plan.ViewOf(feeds[v.Name]))
	}
	outs, err := r.Results(context.Background(), views)
	require.NoError(t, err)
	return outs[0].(*onnx.Tensor)
}

// TestRandom_keys holds that numbers depend on the session's seed, and that they have the right distributions.
func TestRandom_keys(t *testing.T) {
	const n = 1 << 14
	shape := onnx.Ints("shape", n)
	a := onnx.Data[float32](sampled(t, 1, "RandomNormal", nil, shape))
	require.Equal(t, a, onnx.Data[float32](sampled(t, 1, "RandomNormal", nil, shape)))
	require.NotEqual(t, a, onnx.Data[float32](sampled(t, 2, "RandomNormal", nil, shape)))
	mean, square := 0.0, 0.0
	for _, v := range a {
		mean, square = mean+float64(v)/n, square+float64(v)*float64(v)/n
	}
	require.InDelta(t, 0, mean, 0.03)
	require.InDelta(t, 1, square, 0.05)
	x := tensor(t, make([]float32, n), n/2, 2)
	for _, v := range onnx.Data[onnx.BF16](sampled(t, 1, "RandomUniformLike", tensors{x}, onnx.Int("dtype", int64(onnx.BFloat16)))) {
		require.True(t, v.Float32() >= 0 && v.Float32() <= 1)
	}
	require.Equal(t, x.Shape, sampled(t, 1, "RandomNormalLike", tensors{x}).Shape)

	logs := tensor(t, []float32{float32(math.Log(1)), float32(math.Log(3)), float32(math.Inf(-1))}, 1, 3)
	count := [3]int{}
	for _, k := range onnx.Data[int64](sampled(t, 1, "Multinomial", tensors{logs}, onnx.Int("sample_size", n), onnx.Int("dtype", int64(onnx.Int64)))) {
		count[k]++
	}
	require.InDelta(t, 0.25, float64(count[0])/n, 0.02)
	require.Zero(t, count[2])
}
