package ops_test

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// TestAllocations_transformer holds that the operators of transformers allocate nothing in the steady state.
func TestAllocations_transformer(t *testing.T) {
	x, scale := random[float32](t, 1, -1, 1, 2, 16, 24), random[float32](t, 2, 0.5, 2, 24)
	mask := random[float32](t, 3, -1, 1, 2, 1, 1, 16)
	heads := []onnx.Attribute{onnx.Int("q_num_heads", 3), onnx.Int("kv_num_heads", 3)}
	for name, c := range map[string]struct {
		op    string
		in    tensors
		attrs []onnx.Attribute
	}{
		"layer":     {"LayerNormalization", tensors{x, scale, scale}, nil},
		"rms":       {"RMSNormalization", tensors{x, scale}, nil},
		"group":     {"GroupNormalization", tensors{x, random[float32](t, 4, 0, 1, 16), random[float32](t, 5, 0, 1, 16)}, []onnx.Attribute{onnx.Int("num_groups", 4)}},
		"attention": {"Attention", tensors{x, x, x}, heads},
		"masked":    {"Attention", tensors{x, x, x, mask}, heads},
		"gelu":      {"Gelu", tensors{x}, nil},
		"log":       {"LogSoftmax", tensors{x}, nil},
		"transpose": {"Transpose", tensors{x}, []onnx.Attribute{onnx.Ints("perm", 2, 0, 1)}},
		"gather":    {"Gather", tensors{x, onnx.Vector[int64](1, 0, 1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g, feeds := node(t, "", c.op, 1, c.in, c.attrs...)
			p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: ops.All})
			require.NoError(t, err)
			r := p.NewRunner()
			var views []opdef.View
			for _, v := range g.Inputs {
				views = append(views, plan.ViewOf(feeds[v.Name]))
			}
			results, err := r.Results(t.Context(), views)
			require.NoError(t, err)
			outs := []opdef.View{plan.ViewOf(results[0])}
			failed := false
			run := func() { failed = failed || r.Run(t.Context(), views, outs) != nil }
			run()
			require.Zero(t, testing.AllocsPerRun(5, run))
			require.False(t, failed)
		})
	}
}

// TestAttention_rows holds the weights by vectors against those of plain Go: windows, lengths and masks that leave no key.
func TestAttention_rows(t *testing.T) {
	q, k, v := random[float32](t, 1, -2, 2, 2, 4, 9, 8), random[float32](t, 2, -2, 2, 2, 2, 37, 8), random[float32](t, 3, -2, 2, 2, 2, 37, 5)
	mask := random[float32](t, 4, -1, 1, 2, 1, 9, 37)
	for i, m := 0, onnx.View[float32](mask.Mutable()); i < len(m); i++ {
		if i/37 == 2 || i%5 == 0 {
			m[i] = float32(math.Inf(-1))
		}
	}
	key := random[float32](t, 5, -1, 1, 2, 4, 9, 1)
	for name, c := range map[string]struct {
		in    tensors
		attrs []onnx.Attribute
	}{
		"plain":   {tensors{q, k, v}, nil},
		"masked":  {tensors{q, k, v, mask}, nil},
		"one key": {tensors{q, k, v, key}, nil},
		"causal":  {tensors{q, k, v, mask}, []onnx.Attribute{onnx.Int("is_causal", 1)}},
		"window":  {tensors{q, k, v, mask}, []onnx.Attribute{onnx.Int("left_window_size", 3), onnx.Int("right_window_size", 2)}},
		"scaled":  {tensors{q, k, v}, []onnx.Attribute{onnx.Float("scale", -0.7)}},
	} {
		t.Run(name, func(t *testing.T) {
			wide := tensors{}
			for _, x := range c.in {
				w := make([]float64, x.Len())
				for i, f := range onnx.Data[float32](x) {
					w[i] = float64(f)
				}
				wide = append(wide, tensor(t, w, x.Shape...))
			}
			want := onnx.Data[float64](eval(t, "Attention", wide, c.attrs...))
			for i, got := range onnx.Data[float32](eval(t, "Attention", c.in, c.attrs...)) {
				require.InDelta(t, want[i], got, 2e-6)
			}
		})
	}
}
