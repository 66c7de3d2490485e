package ops_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// TestConcat_inPlace runs random graphs of joins and of steps that may write over their input, with buffers shared and with
// none, into buffers of its own and into the caller's.
func TestConcat_inPlace(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		b := shape.NewBuilder("joins")
		n := onnx.Named("N")
		vs := values{b.Graph.Input("x", onnx.TensorOf(onnx.Float32, n, onnx.Fixed(3))), b.Graph.Input("y", onnx.TensorOf(onnx.Float32, n, onnx.Fixed(3)))}
		pick := func() *onnx.Value { return vs[r.IntN(len(vs))] }
		for range 5 + r.IntN(20) {
			switch v := pick(); r.IntN(4) {
			case 0:
				vs = append(vs, b.Op("Neg", values{v}))
			case 1:
				vs = append(vs, b.Op("Add", values{v, v}))
			case 2:
				vs = append(vs, b.Op("Mul", values{v, b.Const(onnx.Vector[float32](1, -0.5, 2))}))
			default:
				vs = append(vs, b.Op("Concat", values{v, pick(), vs[len(vs)-1]}, onnx.Int("axis", 0)))
			}
		}
		b.Graph.Outputs = values{vs[len(vs)-1], pick()}
		if b.Graph.Outputs[1].Node() == nil || b.Graph.Outputs[0] == b.Graph.Outputs[1] {
			b.Graph.Outputs = b.Graph.Outputs[:1]
		}
		require.NoError(t, b.Err())
		shared, err := plan.Build(b.Graph, plan.NewVars(), plan.Options{Set: ops.All})
		require.NoError(t, err)
		kept, err := plan.Build(b.Graph, plan.NewVars(), plan.Options{Set: ops.All, Keep: true})
		require.NoError(t, err)
		a, c := shared.NewRunner(), kept.NewRunner()
		for _, rows := range []int{2, 1, 5, 2} {
			ins := []opdef.View{plan.ViewOf(random[float32](t, seed, -1, 1, rows, 3)), plan.ViewOf(random[float32](t, seed+1000, -1, 1, rows, 3))}
			want, err := c.Results(context.Background(), ins)
			require.NoError(t, err)
			got, err := a.Results(context.Background(), ins)
			require.NoError(t, err)
			require.NoError(t, a.Run(context.Background(), ins, nil))
			for i := range want {
				require.Equal(t, want[i].(*onnx.Tensor).Bytes(), got[i].(*onnx.Tensor).Bytes(), "graph %d, output %d", seed, i)
				require.Equal(t, want[i].(*onnx.Tensor).Bytes(), a.Out(i).Data, "graph %d, output %d", seed, i)
			}
		}
	}
}
