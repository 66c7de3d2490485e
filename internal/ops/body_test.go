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

// scan8 sums each sequence of a batch up to its length, backwards; the outputs are the sum and the sums on the way.
const scan8 = `<ir_version: 3, opset_import: ["": 8]>
g (int64[2] lens, float[2,1] start, float[2,3,1] x) => (float[2,1] sum, float[2,3,1] parts) {
   sum, parts = Scan <num_scan_inputs = 1, directions = [1], body = add (float[1] s, float[1] v) => (float[1] t, float[1] u) {
      t = Add (s, v)
      u = Identity (t)
   }> (lens, start, x)
}`

func TestScan_sequenceLens(t *testing.T) {
	m, err := onnx.ParseText(scan8)
	require.NoError(t, err)
	g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
	require.NoError(t, err)
	run, err := engine(1)(g)
	require.NoError(t, err)
	out, err := run(map[string]*onnx.Tensor{
		g.Inputs[0].Name: onnx.Vector[int64](2, 3), g.Inputs[1].Name: tensor(t, []float32{0, 100}, 2, 1),
		g.Inputs[2].Name: tensor(t, []float32{1, 2, 4, 8, 16, 32}, 2, 3, 1),
	})
	require.NoError(t, err)
	require.Equal(t, []float32{3, 156}, onnx.Data[float32](out[0]))
	require.Equal(t, []float32{2, 3, 0, 132, 148, 156}, onnx.Data[float32](out[1]))
}

func TestErf_integers(t *testing.T) {
	m, err := onnx.ParseText(`<ir_version: 4, opset_import: ["": 9]> g (int8[5] x) => (int8[5] y) { y = Erf (x) }`)
	require.NoError(t, err)
	g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
	require.NoError(t, err)
	run, err := engine(1)(g)
	require.NoError(t, err)
	out, err := run(map[string]*onnx.Tensor{g.Inputs[0].Name: onnx.Vector[int8](-100, -1, 0, 3, 7)})
	require.NoError(t, err)
	require.Equal(t, []int8{-1, 0, 0, 0, 1}, onnx.Data[int8](out[0]))
}

func TestCol2Im_bool(t *testing.T) {
	x := tensor(t, []bool{false, true, false, false, false, false}, 1, 2, 3)
	y := eval(t, "Col2Im", tensors{x, onnx.Vector[int64](1, 4), onnx.Vector[int64](1, 2)})
	require.Equal(t, []bool{false, true, false, false}, onnx.Data[bool](y))
}

func TestResize_parts(t *testing.T) {
	linear, sizes := onnx.Str("mode", "linear"), onnx.Vector[int64](5)
	reals := eval(t, "Resize", tensors{tensor(t, []float64{1, -2, 0}, 3), nil, nil, sizes}, linear)
	got := onnx.Data[complex128](eval(t, "Resize", tensors{tensor(t, []complex128{1 + 10i, -2 - 20i, 0}, 3), nil, nil, sizes}, linear))
	for i, v := range onnx.Data[float64](reals) {
		require.InDelta(t, v, real(got[i]), 1e-12)
		require.InDelta(t, 10*v, imag(got[i]), 1e-12)
	}
	bools := onnx.Data[bool](eval(t, "Resize", tensors{tensor(t, []bool{true, false, false}, 3), nil, nil, sizes}, linear))
	require.Equal(t, []bool{true, true, false, false, false}, bools)
}
