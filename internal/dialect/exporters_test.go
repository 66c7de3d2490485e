package dialect

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// ONNX Runtime's operators share names with the standard's and differ from them: the domain decides.
func TestSameNameInTwoDomains(t *testing.T) {
	m := parse(t, `<ir_version: 9, opset_import: ["" : 20, "com.microsoft" : 1]>
		g (float[2] x) => (float[2] exact, float[2] tanh, float[3] padded, float[3] ours) <int64[2] pads = {1,0}, int64[1,2] flat = {1,0}, float five = {5}, float[1] six = {6}> {
			exact = com.microsoft.Gelu(x)
			tanh = Gelu <approximate = "tanh"> (x)
			padded = Pad(x, pads, five)
			ours = com.microsoft.Pad(x, flat, six)
		}`)
	gelu := func(x float64) float32 { return float32(x / 2 * math.Erfc(-x/math.Sqrt2)) }
	approximate := func(x float64) float32 {
		return float32(x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))))
	}
	gives(t, m, tensors{"x": f32(1, -2)}, tensors{
		"exact": f32(gelu(1), gelu(-2)), "tanh": f32(approximate(1), approximate(-2)), "padded": f32(5, 1, -2), "ours": f32(6, 1, -2),
	})
}

// Files optimised for one processor hold operators on blocks of channels; the refusal says where they come from.
func TestProcessorsOwnFiles(t *testing.T) {
	m := parse(t, `<ir_version: 9, opset_import: ["" : 20, "com.microsoft.nchwc" : 1]>
		g (float[1,8,2,2] x) => (float y) { y = com.microsoft.nchwc.ReorderInput(x) }`)
	_, err := runtime.New(m, runtime.Options{})
	require.ErrorContains(t, err, "com.microsoft.nchwc.ReorderInput")
	require.ErrorContains(t, err, "one kind of processor")
}

// Keras and tf2onnx move the channels to and fro around each convolution.
func TestTransposePairs(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 15]>
		g (float[N,2,2,1] x) => (float[N,2,2,2] y) <float[2,1,1,1] w = {1,10}, float[2] b = {0,1}> {
			a = Transpose <perm = [0,3,1,2]> (x)
			c = Conv(a, w, b)
			d = Transpose <perm = [0,2,3,1]> (c)
			r = Relu(d)
			e = Transpose <perm = [0,3,1,2]> (r)
			p = MaxPool <kernel_shape = [1,1]> (e)
			y = Transpose <perm = [0,2,3,1]> (p)
		}`)
	gives(t, m, tensors{"x": shaped[float32](t, []int{1, 2, 2, 1}, 1, 2, -3, 4)},
		tensors{"y": shaped[float32](t, []int{1, 2, 2, 2}, 1, 11, 2, 21, 0, 0, 4, 41)})
}

// Keras resets the state after the product, TensorFlow before: with a bias of the recurrence that alone tells them apart.
func TestResetBeforeAndAfter(t *testing.T) {
	for after := range 2 {
		m := parse(t, `<ir_version: 8, opset_import: ["" : 14]>
			g (float[1,1,1] x, float[1,1,1] h) => (float[1,1,1,1] y) <float[1,3,1] w = {0,0,0}, float[1,3,1] r = {0,0,0}, float[1,6] b = {0,0,0,0,0,1}> {
				y = GRU <hidden_size = 1> (x, w, r, b, "", h)
			}`)
		m.Graph.Nodes[0].SetAttr(onnx.Int("linear_before_reset", int64(after)))
		want := 0.5*math.Tanh(0.5) + 0.5 // both gates are 1/2
		if after == 0 {
			want = 0.5*math.Tanh(1) + 0.5 // the bias is outside of the reset
		}
		gives(t, m, tensors{"x": shaped[float32](t, []int{1, 1, 1}, 3), "h": shaped[float32](t, []int{1, 1, 1}, 1)},
			tensors{"y": shaped(t, []int{1, 1, 1, 1}, float32(want))})
	}
}

// Keras's hard sigmoid has a slope and an offset of its own, which the attributes say.
func TestHardSigmoidGates(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 14]>
		g (float[1,1,1] x, float[1,1,1] h, float[1,1,1] c) => (float[1,1,1,1] y) <float[1,4,1] w = {1,0,0,0}, float[1,4,1] r = {0,0,0,0}> {
			y = LSTM <hidden_size = 1, activations = ["HardSigmoid", "Tanh", "Tanh"], activation_alpha = [0.25], activation_beta = [0.5]> (x, w, r, "", "", h, c)
		}`)
	// input gate hard(1) = 0.75 of a candidate tanh(0), forget gate 0.5 of the cell, output gate 0.5
	want := 0.5 * math.Tanh(0.5*2)
	gives(t, m, tensors{"x": shaped[float32](t, []int{1, 1, 1}, 1), "h": shaped[float32](t, []int{1, 1, 1}, 0), "c": shaped[float32](t, []int{1, 1, 1}, 2)},
		tensors{"y": shaped(t, []int{1, 1, 1, 1}, float32(want))})
}

// Converters to 16 bits leave casts at the borders.
func TestCastsAtTheBorders(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 17]>
		g (float[1,2] x) => (float[1,1] y) <float[2,1] w = {1.5,2}> {
			a = Cast <to = 10> (x)
			b = Cast <to = 10> (w)
			c = MatMul(a, b)
			y = Cast <to = 1> (c)
		}`)
	gives(t, m, tensors{"x": shaped[float32](t, []int{1, 2}, 2, 0.25)}, tensors{"y": shaped[float32](t, []int{1, 1}, 3.5)})
}

// JAX exports in double precision where it is asked to.
func TestDoublePrecision(t *testing.T) {
	m := parse(t, `<ir_version: 10, opset_import: ["" : 23]>
		g (double[1,2] x) => (double[1,1] y) <double[2,1] w = {1,1}, double[1] b = {0.000000000001}> {
			h = MatMul(x, w)
			y = Add(h, b)
		}`)
	x, err := onnx.NewTensor([]float64{1, 2}, 1, 2)
	require.NoError(t, err)
	want, err := onnx.NewTensor([]float64{3 + 1e-12}, 1, 1)
	require.NoError(t, err)
	gives(t, m, tensors{"x": x}, tensors{"y": want})
}

// CNTK has written dilations of another length than the window's; what they mean nobody can tell, so the refusal names them.
func TestDilationsOfAnotherLength(t *testing.T) {
	m := parse(t, `<ir_version: 3, opset_import: ["" : 7]>
		g (float[1,1,3,3] x, float[1,1,2,2] w) => (float[1,1,2,2] y) <float[1,1,2,2] w = {1,1,1,1}> {
			y = Conv <dilations = [1,1,1]> (x, w)
		}`)
	s, err := runtime.New(m, runtime.Options{})
	if err == nil {
		_, err = s.Run(t.Context(), tensors{"x": shaped[float32](t, []int{1, 1, 3, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9)})
	}
	require.ErrorIs(t, err, onnx.ErrInvalid)
	require.ErrorContains(t, err, "dilations")
}
