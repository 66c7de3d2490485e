package rewrite_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// poolingGradient is the gradient of a MaxPool of the Relu of a Conv; overlapping windows share their greatest elements.
func poolingGradient(t *testing.T, stride int64) *onnx.Graph {
	t.Helper()
	b := shape.BuilderFor(onnx.NewGraph("g", nil), set)
	b.Graph.SetOpset("", shape.Newest(""))
	x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(2), onnx.Fixed(9), onnx.Fixed(8)))
	w := b.Graph.Initializer("w", onnx.TensorOf(onnx.Float32, onnx.Fixed(3), onnx.Fixed(2), onnx.Fixed(2), onnx.Fixed(2)),
		drawnTensor(t, rand.New(rand.NewPCG(4, 4)), 3, 2, 2, 2))
	h := relu(b, b.Op("Conv", values{x, w}))
	y := b.Node("", "MaxPool", 1, values{h}, onnx.Ints("kernel_shape", 2, 2), onnx.Ints("strides", stride, stride)).Out(0)
	loss := b.Op("ReduceSum", values{b.Op("Mul", values{y, y})}, onnx.Int("keepdims", 0))
	grads, err := autodiff.Gradients(b, set, values{loss}, values{nil}, values{x, w})
	require.NoError(t, err)
	b.Graph.Outputs = append(values{y}, grads...)
	require.NoError(t, b.Err())
	return b.Graph
}

func TestOptimise_exchange(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, stride := range []int64{1, 2} {
		x := drawnTensor(t, r, 3, 2, 9, 8)
		for i, v := 0, onnx.View[float32](x.Mutable()); i < len(v); i += 5 {
			v[i] = 0.5 // equal elements in one window
		}
		want := run(t, poolingGradient(t, stride), x)
		g := poolingGradient(t, stride)
		names := []string{g.Outputs[0].Name, g.Outputs[1].Name, g.Outputs[2].Name}
		optimise(t, g, rewrite.Options{Level: 2})
		ops := opTypes(g)
		require.Contains(t, ops, "FusedConv")
		for _, n := range g.Nodes {
			if n.OpType == "ReluGrad" {
				require.Same(t, g.Outputs[0], n.In(1), "reads what was pooled")
			}
		}
		for i, got := range run(t, g, x) {
			require.Equal(t, names[i], g.Outputs[i].Name)
			require.Equal(t, want[i].Bytes(), got.Bytes(), "output %d", i)
		}
	}
}
