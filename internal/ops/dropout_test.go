package ops_test

import (
	"context"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// drop runs Dropout in training mode over ones.
func drop(t *testing.T, seed, step uint64, training bool, a ...onnx.Attribute) []bool {
	t.Helper()
	ones := make([]float32, 4096)
	for i := range ones {
		ones[i] = 1
	}
	g, feeds := node(t, "", "Dropout", 2, tensors{onnx.Vector(ones...), onnx.Scalar[float32](0.25), onnx.Scalar(true)}, a...)
	p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: ops.All})
	require.NoError(t, err)
	r := p.NewRunner()
	defer r.Close()
	r.Seed, r.StepNo, r.Training = seed, step, training
	var in []opdef.View
	for _, v := range g.Inputs {
		in = append(in, plan.ViewOf(feeds[v.Name]))
	}
	outs, err := r.Results(context.Background(), in)
	require.NoError(t, err)
	mask := onnx.Data[bool](outs[1].(*onnx.Tensor))
	for i, v := range onnx.Data[float32](outs[0].(*onnx.Tensor)) {
		want := float32(0)
		if mask[i] {
			want = 1 / (1 - float32(0.25))
		}
		require.Equal(t, want, v)
	}
	return mask
}

// TestDropout_keys holds what a mask depends on: seed and step, and the seed attribute; in plain inference the attribute alone.
func TestDropout_keys(t *testing.T) {
	base := drop(t, 1, 1, true)
	kept := 0
	for _, k := range base {
		if k {
			kept++
		}
	}
	require.InDelta(t, 0.75, float64(kept)/4096, 0.03)
	require.Equal(t, base, drop(t, 1, 1, true))
	require.NotEqual(t, base, drop(t, 2, 1, true))
	require.NotEqual(t, base, drop(t, 1, 2, true))
	fixed := onnx.Int("seed", 5)
	require.NotEqual(t, base, drop(t, 1, 1, true, fixed))
	require.NotEqual(t, drop(t, 1, 1, true, fixed), drop(t, 1, 2, true, fixed))
	require.Equal(t, drop(t, 1, 1, false, fixed), drop(t, 2, 2, false, fixed))
}
