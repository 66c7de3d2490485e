package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// flexAttention reads an outer value in score_mod, and has its nodes there in no particular order.
const flexAttention = `<ir_version: 10, opset_import: ["": 23, "ai.onnx.preview": 1]>
g (double[2,4,3,5] q, double[2,2,6,5] k, double[2,2,6,2] v, double[4,1,1] slope) => (double[2,4,3,2] y)
{
   y = ai.onnx.preview.FlexAttention <scale = 0.5, score_mod = mod (double[B,H,Q,K] s) => (double[B,H,Q,K] t)
   {
      t = Add (s, u)
      u = Mul (s, slope)
   }> (q, k, v)
}`

func TestFlexAttention_captures(t *testing.T) {
	m, err := onnx.ParseText(flexAttention)
	require.NoError(t, err)
	g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
	require.NoError(t, err)
	feeds := map[string]*onnx.Tensor{}
	for i, v := range g.Inputs {
		var shape []int
		for _, d := range v.Type.Shape {
			shape = append(shape, int(d.N))
		}
		feeds[v.Name] = random[float64](t, uint64(i), -1, 1, shape...)
	}
	require.NoError(t, gradcheck.Check(g, feeds, gradcheck.Options{Set: ops.All, Engine: engine(2)}))
}

func TestFlexAttention_refuses(t *testing.T) {
	check := func(text, want string) {
		t.Helper()
		m, err := onnx.ParseText(`<ir_version: 10, opset_import: ["": 23, "ai.onnx.preview": 1]> ` + text)
		require.NoError(t, err)
		_, err = rewrite.Prepare(m, ops.All, rewrite.Options{})
		require.ErrorContains(t, err, want)
	}
	check(`g (float[2,4,3,5] q, float[2,2,6,5] k) => (float[a,b,c,d] y) {
		y = ai.onnx.preview.FlexAttention <score_mod = mod (float[a,b,c,d] s) => (int64[e] t) { t = Shape (s) }> (q, k, k)
	}`, "score_mod: expected a graph with one input and one output")
	check(`g (float[2,4,3,5] q, float[2,2,6,5] k) => (float[a,b,c,d] y) {
		y = ai.onnx.preview.FlexAttention <prob_mod = mod (float[a,b,c,d] s, float[a,b,c,d] r) => (float[a,b,c,d] t) { t = Add (s, r) }> (q, k, k)
	}`, "prob_mod: expected a graph with one input and one output")
	check(`g (float[2,4,3,5] q, float[2,2,6,5] k) => (float[a,b,c,d] y) {
		y = ai.onnx.preview.FlexAttention <softmax_precision = 7> (q, k, k)
	}`, "softmax_precision: expected the number of a float type, received 7")
}

// TestBernoulli_body holds that kernel and body draw 1 as often as the input says.
func TestBernoulli_body(t *testing.T) {
	m, err := onnx.ParseText(`<ir_version: 10, opset_import: ["": 22]> g (float[20000] p) => (float[20000] y) { y = Bernoulli (p) }`)
	require.NoError(t, err)
	p := make([]float32, 20000)
	for i := range p {
		p[i] = 0.3
	}
	for _, body := range []bool{false, true} {
		g, err := rewrite.Prepare(m, ops.All, rewrite.Options{Expand: func(n *onnx.Node) bool { return body && n.OpType == "Bernoulli" }})
		require.NoError(t, err)
		require.Equal(t, body, g.Nodes[0].OpType != "Bernoulli")
		run, err := engine(1)(g)
		require.NoError(t, err)
		out, err := run(map[string]*onnx.Tensor{g.Inputs[0].Name: tensor(t, p, 20000)})
		require.NoError(t, err)
		ones := float32(0)
		for _, y := range onnx.Data[float32](out[0]) {
			ones += y
		}
		require.InDelta(t, 6000, ones, 300)
	}
}

func TestAffineGrid_edges(t *testing.T) {
	theta := tensor(t, []float32{1, 0, 0, 0, 1, 0}, 1, 2, 3)
	y := eval(t, "AffineGrid", tensors{theta, onnx.Vector[int64](1, 1, 1, 3)}, onnx.Int("align_corners", 1))
	require.Equal(t, []float32{-1, -1, 0, -1, 1, -1}, onnx.Data[float32](y))
	require.Equal(t, []int{1, 0, 3, 2}, eval(t, "AffineGrid", tensors{theta, onnx.Vector[int64](1, 1, 0, 3)}).Shape)
	_, err := tryEval(t, "AffineGrid", tensors{theta, onnx.Vector[int64](2, 1, 2, 3)})
	require.ErrorContains(t, err, "expected theta of shape")
	_, err = tryEval(t, "AffineGrid", tensors{theta, onnx.Vector[int64](1, 1, -2, 3)})
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

func TestDynamicQuantizeLinear_edges(t *testing.T) {
	for _, x := range [][]float32{{0, 0}, {}, {-3, -1}, {2, 4}, {nan, 1}} {
		g, feeds := node(t, "", "DynamicQuantizeLinear", 3, tensors{tensor(t, x, len(x))})
		run, err := engine(1)(g)
		require.NoError(t, err)
		outs, err := run(feeds)
		require.NoError(t, err)
		scale, zero := onnx.Data[float32](outs[1])[0], onnx.Data[uint8](outs[2])[0]
		for i, q := range onnx.Data[uint8](outs[0]) {
			if x[i] == x[i] && scale == scale {
				require.InDelta(t, x[i], scale*float32(int(q)-int(zero)), float64(scale))
			}
		}
	}
}
