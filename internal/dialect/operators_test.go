package dialect

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// Before opset 13 Softmax coerces to a matrix at its axis, which is 1; from 13 on it runs along the last axis.
func TestSoftmaxBefore13(t *testing.T) {
	text := `<ir_version: 7, opset_import: ["" : 11]> g (float[1,2,2] x) => (float[1,2,2] y) { y = Softmax(x) }`
	x := shaped[float32](t, []int{1, 2, 2}, 0, 0, 0, 0)
	m := parse(t, text)
	gives(t, m, tensors{"x": x}, tensors{"y": shaped[float32](t, []int{1, 2, 2}, 0.25, 0.25, 0.25, 0.25)})
	m.Graph.SetOpset("", 13)
	gives(t, m, tensors{"x": x}, tensors{"y": shaped[float32](t, []int{1, 2, 2}, 0.5, 0.5, 0.5, 0.5)})
}

// SAME_UPPER on sizes that are known only when the model runs: 3x3 under 2x2 windows with stride 2.
func TestAutoPad(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 13]>
		g (float[N,1,H,W] x) => (float[N,1,P,Q] upper, float[N,1,P,Q] lower, float[N,1,P,Q] conv, float[N,1,R,S] valid)
		<float[1,1,2,2] w = {1,1,1,1}> {
			upper = MaxPool <auto_pad = "SAME_UPPER", kernel_shape = [2,2], strides = [2,2]> (x)
			lower = MaxPool <auto_pad = "SAME_LOWER", kernel_shape = [2,2], strides = [2,2]> (x)
			conv = Conv <auto_pad = "SAME_UPPER", strides = [2,2]> (x, w)
			valid = Conv <auto_pad = "VALID", strides = [2,2]> (x, w)
		}`)
	four := []int{1, 1, 2, 2}
	gives(t, m, tensors{"x": shaped[float32](t, []int{1, 1, 3, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9)}, tensors{
		"upper": shaped[float32](t, four, 5, 6, 8, 9), "lower": shaped[float32](t, four, 1, 3, 7, 9),
		"conv": shaped[float32](t, four, 12, 9, 15, 9), "valid": shaped[float32](t, []int{1, 1, 1, 1}, 12),
	})
}

// ONNX Runtime's optimizer writes LayerNormalization into models of opsets before 17, which lack it.
func TestEarlyLayerNormalization(t *testing.T) {
	m := parse(t, `<ir_version: 7, opset_import: ["" : 12]>
		g (float[1,2] x) => (float[1,2] y) <float[2] scale = {2,4}, float[2] bias = {1,1}> {
			y = LayerNormalization <epsilon = 0.0> (x, scale, bias)
		}`)
	gives(t, m, tensors{"x": shaped[float32](t, []int{1, 2}, 3, 5)}, tensors{"y": shaped[float32](t, []int{1, 2}, -1, 5)})
}

// Imports of domains that no node uses, known or not.
func TestUnusedDomains(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1, "ai.onnx.ml" : 2, "ai.onnx.training" : 1,
			"com.microsoft.nchwc" : 1, "org.pytorch.aten" : 1, "custom.of/nobody" : 77]>
		g (float[2] x) => (float[2] y) { y = Neg(x) }`)
	gives(t, m, tensors{"x": f32(1, 2)}, tensors{"y": f32(-1, -2)})
}

// The default domain has two spellings; files use either, both, and import it twice.
func TestDefaultDomainSpelt(t *testing.T) {
	for _, imports := range []string{`"ai.onnx" : 13`, `"" : 13, "ai.onnx" : 13`, `"ai.onnx" : 13, "" : 13`, `"" : 13, "" : 13`} {
		m := parse(t, `<ir_version: 8, opset_import: [`+imports+`]>
			g (float[2] x) => (float[2] y) { t = ai.onnx.Neg(x)  y = Exp(t) }`)
		gives(t, m, tensors{"x": f32(0, -1)}, tensors{"y": f32(1, math.E)})
	}
}

// Operators that Keras and tf2onnx, or optimisers, leave in the default domain although the standard has none of the name.
func TestForeignOperators(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 15]>
		g (float[2] x, float[1,2] h) => (float[2] y, float[2] z, float[1,2] n) <float[2] scale = {1,2}> {
			y = Erfc(x)
			z = Expm1(x)
			n = SimplifiedLayerNormalization <axis = -1, epsilon = 0.0> (h, scale)
		}`)
	rms := float32(math.Sqrt(12.5))
	gives(t, m, tensors{"x": f32(0, 0.5), "h": shaped[float32](t, []int{1, 2}, 3, 4)}, tensors{
		"y": f32(1, float32(math.Erfc(0.5))), "z": f32(0, float32(math.Expm1(0.5))),
		"n": shaped(t, []int{1, 2}, 3/rms, 8/rms),
	})
	b, err := m.Encode()
	require.NoError(t, err)
	again, err := onnx.Decode(b)
	require.NoError(t, err)
	require.Equal(t, "Erfc", again.Graph.Nodes[0].OpType, "running a model must not change it")
}

// An operator that nobody knows is refused when the session is made, with its place.
func TestUnknownOperators(t *testing.T) {
	for _, op := range []string{"StatefulPartitionedCall", "com.microsoft.nchwc.Conv", "custom.Thing"} {
		m := parse(t, `<ir_version: 8, opset_import: ["" : 15, "com.microsoft.nchwc" : 1, "custom" : 1]>
			g (float[2] x) => (float[2] y) { y = `+op+`(x) }`)
		_, err := runtime.New(m, runtime.Options{})
		var at *onnx.NodeError
		require.ErrorAs(t, err, &at)
		require.Equal(t, op, at.OpType)
		require.NotErrorIs(t, err, onnx.ErrInternal)
	}
}

// PyTorch slices to the end with the largest int64, and backwards to before the start with the smallest.
func TestSliceToTheEnd(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 13]>
		g (float[N] x) => (float[M] tail, float[M] back, float[M] none) <int64[1] one = {1}, int64[1] zero = {0},
			int64[1] most = {9223372036854775807}, int64[1] least = {-9223372036854775808}, int64[1] minus = {-1}> {
			tail = Slice(x, one, most, zero)
			back = Slice(x, most, least, zero, minus)
			none = Slice(x, most, most, zero, most)
		}`)
	gives(t, m, tensors{"x": f32(1, 2, 3)}, tensors{"tail": f32(2, 3), "back": f32(3, 2, 1), "none": f32()})
	old := parse(t, `<ir_version: 4, opset_import: ["" : 9]>
		g (float[N] x) => (float[M] y) { y = Slice <axes = [0], starts = [-2], ends = [9223372036854775807]> (x) }`)
	gives(t, old, tensors{"x": f32(1, 2, 3)}, tensors{"y": f32(2, 3)})
}

// Before opset 11 ScatterElements was Scatter.
func TestScatter(t *testing.T) {
	m := parse(t, `<ir_version: 4, opset_import: ["" : 9]>
		g (float[3] x, int64[1] i, float[1] u) => (float[3] y) { y = Scatter <axis = 0> (x, i, u) }`)
	gives(t, m, tensors{"x": f32(1, 2, 3), "i": i64(1), "u": f32(9)}, tensors{"y": f32(1, 9, 3)})
}

// Before opset 10 Resize was Upsample, with its scales as an attribute or an input.
func TestUpsample(t *testing.T) {
	text := func(opset, node string) string {
		return `<ir_version: 4, opset_import: ["" : ` + opset + `]>
			g (float[1,1,1,2] x) => (float[1,1,2,4] y) <float[4] s = {1,1,2,2}> { y = ` + node + ` }`
	}
	want := tensors{"y": shaped[float32](t, []int{1, 1, 2, 4}, 1, 1, 2, 2, 1, 1, 2, 2)}
	x := tensors{"x": shaped[float32](t, []int{1, 1, 1, 2}, 1, 2)}
	gives(t, parse(t, text("9", `Upsample <mode = "nearest"> (x, s)`)), x, want)
	gives(t, parse(t, text("7", `Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)`)), x, want)
}

// Before opset 14 the number of outputs of BatchNormalization said that it trains. The batch 1, 2, 3, 4 has mean 2.5 and
// variance 1.25; the running ones keep 0.75 of what they were. What the last two hold the standard leaves open, and nobody
// reads them.
func TestBatchNormalizationFiveOutputs(t *testing.T) {
	m := parse(t, `<ir_version: 4, opset_import: ["" : 9]>
		g (float[2,1,2] x) => (float[2,1,2] y, float[1] mean, float[1] var)
		<float[1] scale = {2}, float[1] bias = {1}, float[1] m = {0}, float[1] v = {1}> {
			y, mean, var, saved_mean, saved_var = BatchNormalization <epsilon = 0.0, momentum = 0.75> (x, scale, bias, m, v)
		}`)
	d := float32(2 / math.Sqrt(1.25))
	gives(t, m, tensors{"x": shaped[float32](t, []int{2, 1, 2}, 1, 2, 3, 4)}, tensors{
		"y":    shaped(t, []int{2, 1, 2}, 1-1.5*d, 1-0.5*d, 1+0.5*d, 1+1.5*d),
		"mean": f32(0.625), "var": f32(1.0625),
	})
}

// Old forms that exporters of IR 3 files still meet: broadcasting by attribute, axes by attribute, Dropout with is_test.
func TestOldForms(t *testing.T) {
	m := parse(t, `<ir_version: 3, opset_import: ["" : 6]>
		g (float[2,2] x, float[2] b = {10,20}) => (float[2,2] y) {
			t = Add <axis = 0, broadcast = 1> (x, b)
			d = Dropout <is_test = 1, ratio = 0.5> (t)
			u = Unsqueeze <axes = [0]> (d)
			y = Squeeze <axes = [0]> (u)
		}`)
	gives(t, m, tensors{"x": shaped[float32](t, []int{2, 2}, 1, 2, 3, 4)}, tensors{"y": shaped[float32](t, []int{2, 2}, 11, 12, 23, 24)})
}
