package rewrite_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// TestOptimise_transposes optimises random graphs of Transposes and element-wise operators: the bits stay, and there are never
// more Transposes than before.
func TestOptimise_transposes(t *testing.T) {
	before, after := 0, 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		b := shape.BuilderFor(onnx.NewGraph("g", nil), set)
		b.Graph.SetOpset("", shape.Newest(""))
		x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(3), onnx.Fixed(3), onnx.Fixed(3)))
		vs := values{x}
		for range 4 + r.IntN(14) {
			v := vs[len(vs)-1-r.IntN(min(len(vs), 2))]
			vs = append(vs, drawnStep(t, r, b, v, vs))
		}
		b.Graph.Outputs = values{vs[len(vs)-1]}
		if w := vs[len(vs)/2]; w.Node() != nil && w != b.Graph.Outputs[0] {
			b.Graph.Outputs = append(b.Graph.Outputs, w)
		}
		require.NoError(t, b.Err())
		optimise(t, b.Graph, rewrite.Options{})
		in := drawnTensor(t, r, 3, 3, 3, 3)
		want := run(t, b.Graph, in)
		n := count(b.Graph, "Transpose")
		optimise(t, b.Graph, rewrite.Options{Level: 1, Eval: eval})
		m := count(b.Graph, "Transpose")
		require.LessOrEqual(t, m, n, "graph %d", seed)
		before, after = before+n, after+m
		for i, got := range run(t, b.Graph, in) {
			require.Equal(t, want[i].Shape, got.Shape)
			require.Equal(t, want[i].Bytes(), got.Bytes(), "graph %d, output %d", seed, i)
		}
	}
	require.Less(t, after, before*2/3)
}

func drawnStep(t *testing.T, r *rand.Rand, b *onnx.Builder, v *onnx.Value, vs values) *onnx.Value {
	switch r.IntN(7) {
	case 0:
		return b.Op("Neg", values{v})
	case 1:
		s := [][]int{{3}, {3, 1}, {3, 1, 1}, {1, 3, 1, 1}, {1}, {3, 3}}[r.IntN(6)]
		return b.Op([]string{"Add", "Mul", "PRelu"}[r.IntN(3)], values{v, b.Const(drawnTensor(t, r, s...))})
	case 2:
		if w := vs[r.IntN(len(vs))]; len(w.Type.Shape) == 4 && w.Type.Shape[0] == v.Type.Shape[0] {
			return b.Op("Sub", values{v, w})
		}
		return b.Op("Abs", values{v})
	case 3:
		return b.Op("Clip", values{v, b.Const(onnx.Scalar[float32](-0.25)), b.Const(onnx.Scalar[float32](0.5))})
	}
	perms := [][]int64{{0, 3, 1, 2}, {0, 2, 3, 1}, {0, 2, 1, 3}, {3, 1, 2, 0}}
	return b.Op("Transpose", values{v}, onnx.Ints("perm", perms[r.IntN(len(perms))]...))
}

func count(g *onnx.Graph, opType string) int {
	n := 0
	for _, op := range opTypes(g) {
		if op == opType {
			n++
		}
	}
	return n
}
