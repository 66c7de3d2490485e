package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// recurrentCase makes the inputs of a recurrent operator of 3 steps, 2 sequences, 2 features and 2 hidden units.
func recurrentCase(t *testing.T, op string, gates, dirs int, lens, states bool, layout int64) tensors {
	t.Helper()
	const steps, batch, in, h = 3, 2, 2, 2
	x, state := []int{steps, batch, in}, []int{dirs, batch, h}
	if layout == 1 {
		x, state = []int{batch, steps, in}, []int{batch, dirs, h}
	}
	ins := tensors{
		random[float64](t, 1, -1, 1, x...), random[float64](t, 2, -1, 1, dirs, gates*h, in),
		random[float64](t, 3, -1, 1, dirs, gates*h, h), random[float64](t, 4, -1, 1, dirs, 2*gates*h), nil, nil,
	}
	if lens {
		ins[4] = tensor(t, []int32{3, 1}, 2)
	}
	if states {
		ins[5] = random[float64](t, 5, -1, 1, state...)
		if op == "LSTM" {
			ins = append(ins, random[float64](t, 6, -1, 1, state...), random[float64](t, 7, -1, 1, dirs, 3*h))
		}
	}
	return ins
}

func TestGrad_recurrent(t *testing.T) {
	for op, gates := range map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4} {
		outs := map[string]int{"RNN": 2, "GRU": 2, "LSTM": 3}[op]
		for i := range 16 {
			lens, states, layout, dir := i&1 != 0, i&2 != 0, int64(i>>2&1), []string{"reverse", "bidirectional"}[i>>3]
			dirs := 1 + i>>3
			if layout == 0 && dirs == 1 {
				dir = "forward"
			}
			a := attrs{onnx.Int("hidden_size", 2), onnx.Str("direction", dir), onnx.Int("layout", layout)}
			if op == "GRU" {
				a = append(a, onnx.Int("linear_before_reset", int64(i&1)^layout))
			}
			if op == "LSTM" && i == 5 {
				a = append(a, onnx.Int("input_forget", 1))
			}
			g, feeds := node(t, "", op, outs, recurrentCase(t, op, gates, dirs, lens, states, layout), a...)
			require.NoError(t, gradcheck.Check(g, feeds, gradcheck.Options{Set: ops.All, Engine: engine(1)}), "%s %d", op, i)
		}
	}
}

func activations(names ...string) onnx.Attribute {
	return onnx.Attribute{Name: "activations", Kind: onnx.AttrStrings, Strings: names}
}

func TestGrad_recurrentActivations(t *testing.T) {
	for _, f := range []string{"Relu", "Tanh", "Sigmoid", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu", "Softsign", "Softplus"} {
		ins := recurrentCase(t, "RNN", 1, 1, false, true, 0)
		checkGradOuts(t, "RNN", 2, ins, onnx.Int("hidden_size", 2), activations(f),
			onnx.Floats("activation_alpha", 0.3), onnx.Floats("activation_beta", 0.7))
		checkGradOuts(t, "RNN", 2, ins, onnx.Int("hidden_size", 2), activations(f), onnx.Float("clip", 0.8))
	}
	ins := recurrentCase(t, "LSTM", 4, 1, false, true, 0)
	checkGradOuts(t, "LSTM", 3, ins, onnx.Int("hidden_size", 2), onnx.Float("clip", 0.5))
	ins = recurrentCase(t, "GRU", 3, 1, false, true, 0)
	checkGradOuts(t, "GRU", 2, ins, onnx.Int("hidden_size", 2), onnx.Float("clip", 0.5),
		activations("HardSigmoid", "Softsign"), onnx.Floats("activation_alpha", 0.25), onnx.Floats("activation_beta", 0.4))
}

// TestRecurrent_lengths holds that outputs behind a sequence's end are zeros and that the last state is the one at its end.
func TestRecurrent_lengths(t *testing.T) {
	ins := recurrentCase(t, "RNN", 1, 1, true, false, 0)
	y := onnx.Data[float64](eval(t, "RNN", ins, onnx.Int("hidden_size", 2)))
	require.Equal(t, []float64{0, 0}, y[6:8])
	require.Equal(t, []float64{0, 0}, y[10:12])
	ins[4] = tensor(t, []int32{3, 4}, 2)
	_, err := tryEval(t, "RNN", ins, onnx.Int("hidden_size", 2))
	require.ErrorContains(t, err, "sequence_lens[1] is 4, expected 0 to 3")
}

func TestGrad_recurrentEmpty(t *testing.T) {
	for op, gates := range map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4} {
		for _, x := range [][]int{{0, 2, 2}, {3, 0, 2}} {
			ins := recurrentCase(t, op, gates, 1, false, false, 0)
			ins[0] = random[float64](t, 1, -1, 1, x...)
			checkGradOuts(t, op, 2, ins, onnx.Int("hidden_size", 2))
		}
	}
}

func TestRecurrent_threads(t *testing.T) {
	x := random[float32](t, 1, -1, 1, 9, 40, 24)
	ins := tensors{x, random[float32](t, 2, -1, 1, 2, 4*70, 24), random[float32](t, 3, -1, 1, 2, 4*70, 70)}
	g, feeds := node(t, "", "LSTM", 3, ins, onnx.Int("hidden_size", 70), onnx.Str("direction", "bidirectional"))
	var want [][]byte
	for _, threads := range []int{1, 2, 5} {
		run, err := engine(threads)(g)
		require.NoError(t, err)
		outs, err := run(feeds)
		require.NoError(t, err)
		var got [][]byte
		for _, y := range outs {
			got = append(got, y.Bytes())
		}
		if want == nil {
			want = got
		}
		require.Equal(t, want, got)
	}
}
