package rewrite_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

const trainingImports = `<ir_version: 10, opset_import: ["": 23, "ai.onnx.preview.training": 1, "f": 1]> `

// gradients prepares the model and runs it on scalars.
func gradients(t *testing.T, text string, xs ...float32) []float32 {
	t.Helper()
	m, err := onnx.ParseText(trainingImports + text)
	require.NoError(t, err)
	before := m.Text()
	g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
	require.NoError(t, err)
	require.Equal(t, before, m.Text(), "the model is not changed")
	require.Equal(t, m.Graph.Outputs[0].Name, g.Outputs[0].Name)
	for _, level := range []int{0, 2} {
		require.NoError(t, rewrite.Optimise(g, ops.All, rewrite.Options{Level: level}))
	}
	var ins []*onnx.Tensor
	for _, x := range xs {
		ins = append(ins, onnx.Scalar(x))
	}
	var got []float32
	for _, y := range run(t, g, ins...) {
		got = append(got, onnx.Data[float32](y)...)
	}
	return got
}

func TestPrepare_gradient(t *testing.T) {
	// y = x²·z: 2xz and x²; only the first is asked for.
	require.Equal(t, []float32{12}, gradients(t, `g (float x, float z) => (float dx) {
		s = Mul (x, x)
		y = Mul (s, z)
		dx = ai.onnx.preview.training.Gradient <xs = ["x"], zs = ["z"], y = "y"> (x, z)
	}`, 3, 2))
	// By the value between, and by one that y does not depend on.
	require.Equal(t, []float32{2, 0}, gradients(t, `g (float x, float z) => (float ds, float dx) {
		s = Mul (x, x)
		y = Mul (s, z)
		ds, dx = ai.onnx.preview.training.Gradient <xs = ["s", "x"], y = "y"> (s, x)
	}`, 3, 2))
	// At another point: the values of s and z are given anew.
	require.Equal(t, []float32{3, 4}, gradients(t, `g (float x, float z) => (float ds, float dz) {
		s = Mul (x, x)
		y = Mul (s, z)
		four = Constant <value = float {4}> ()
		ds, dz = ai.onnx.preview.training.Gradient <xs = ["s", "z"], y = "y"> (four, x)
	}`, 3, 2))
	// Twice: y = x³.
	require.Equal(t, []float32{27, 18}, gradients(t, `g (float x) => (float dx, float ddx) {
		s = Mul (x, x)
		y = Mul (s, x)
		dx = ai.onnx.preview.training.Gradient <xs = ["x"], y = "y"> (x)
		ddx = ai.onnx.preview.training.Gradient <xs = ["x"], y = "dx"> (x)
	}`, 3))
	// An output left out, and the sum over a y that is no scalar.
	require.Equal(t, []float32{6}, gradients(t, `g (float x, float z) => (float dz) {
		three = Constant <value = int64[1] {3}> ()
		e = Expand (x, three)
		y = Mul (e, z)
		"", dz = ai.onnx.preview.training.Gradient <xs = ["x", "z"], y = "y"> (x, z)
	}`, 2, 5))
}

func TestPrepare_gradientInside(t *testing.T) {
	// In a function, whose names are its own, and in a subgraph, which reads outer values.
	require.Equal(t, []float32{8, 3}, gradients(t, `g (float x, float y) => (float a, float b) {
		a = f.Slope (x)
		zero = Constant <value = float {0}> ()
		up = Greater (y, zero)
		w = Mul (x, y)
		b = If (up) <
			then_branch = then () => (float t) { t = ai.onnx.preview.training.Gradient <xs = ["x"], y = "w"> (x) },
			else_branch = else () => (float e) { e = Identity (x) }
		>
	}
	<opset_import: ["": 23, "ai.onnx.preview.training": 1], domain: "f"> Slope (x) => (dx) {
		y = Mul (x, x)
		dx = ai.onnx.preview.training.Gradient <xs = ["x"], y = "y"> (x)
	}`, 4, 3))
}

// TestPrepare_gradientRandom holds that the reverse pass sees the random numbers of the forward pass.
func TestPrepare_gradientRandom(t *testing.T) {
	got := gradients(t, `g (float x) => (float[3] y, float dx) {
		n = Constant <value = int64[1] {64}> ()
		e = Expand (x, n)
		half = Constant <value = float {0.5}> ()
		yes = Constant <value = bool {1}> ()
		d, m = Dropout (e, half, yes)
		y = ReduceSum <keepdims = 0> (d)
		dx = ai.onnx.preview.training.Gradient <xs = ["x"], y = "y"> (x)
	}`, 1)
	require.Equal(t, got[0], got[1])
	require.NotEqual(t, float32(64), got[0])
}

func TestPrepare_gradientLimits(t *testing.T) {
	prepare := func(text string) error {
		m, err := onnx.ParseText(trainingImports + text)
		require.NoError(t, err)
		_, err = rewrite.Prepare(m, ops.All, rewrite.Options{})
		return err
	}
	var limit *onnx.LimitError
	one := `d = ai.onnx.preview.training.Gradient <xs = ["x"], y = "y"> (x) `
	var many strings.Builder
	for i := range 1001 {
		many.WriteString(strings.Replace(one, "d =", fmt.Sprintf("d%d =", i), 1))
	}
	require.ErrorAs(t, prepare(`g (float x) => (float d0) { y = Mul (x, x) `+many.String()+`}`), &limit)
	require.Equal(t, "gradients asked for by name", limit.Limit)
	// Each gradient of a gradient is twice as long at least.
	var deep strings.Builder
	deep.WriteString(`g (float x) => (float d0) { p0 = Exp (x) `)
	for i := range 40 {
		fmt.Fprintf(&deep, `s%d = Mul (p%d, p%d) p%d = ai.onnx.preview.training.Gradient <xs = ["x"], y = "s%d"> (x) `, i, i, i, i+1, i)
	}
	require.ErrorAs(t, prepare(deep.String()+`d0 = Identity (p40) }`), &limit)
	require.Equal(t, "nodes after inlining", limit.Limit)
}

func TestPrepare_gradientRefuses(t *testing.T) {
	refuse := func(text, want string) {
		t.Helper()
		m, err := onnx.ParseText(trainingImports + text)
		require.NoError(t, err)
		_, err = rewrite.Prepare(m, ops.All, rewrite.Options{})
		require.ErrorContains(t, err, want)
	}
	refuse(`g (float x) => (float d) { d = ai.onnx.preview.training.Gradient <xs = ["x"], y = "no"> (x) }`, `value "no" is not known`)
	refuse(`g (float x) => (float d) { d = ai.onnx.preview.training.Gradient <xs = ["x"], y = "x"> (x, x) }`, "expected 1 inputs, as many as xs and zs, received 2")
	refuse(`g (float x) => (float d) { d = ai.onnx.preview.training.Gradient <y = "x"> (x) }`, "expected attributes xs and y")
	refuse(`g (int64 x) => (int64 d) { y = Add (x, x) d = ai.onnx.preview.training.Gradient <xs = ["x"], y = "y"> (x) }`, "has no gradient")
	refuse(`g (float x) => (float d) { y = Add (x, d) d = ai.onnx.preview.training.Gradient <xs = ["x"], y = "y"> (x) }`, "cycle")
}
