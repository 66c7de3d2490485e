package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// checkGrad compares the gradient of one node with central differences.
func checkGrad(t *testing.T, op string, in tensors, a ...onnx.Attribute) {
	t.Helper()
	checkGradOuts(t, op, 1, in, a...)
}

func checkGradOuts(t *testing.T, op string, nOut int, in tensors, a ...onnx.Attribute) {
	t.Helper()
	g, feeds := node(t, "", op, nOut, in, a...)
	require.NoError(t, gradcheck.Check(g, feeds, gradcheck.Options{Set: ops.All, Engine: engine(1)}), op)
}

func TestGrad_unary(t *testing.T) {
	for op, span := range map[string][2]float64{
		"Abs": {0.1, 2}, "Neg": {-2, 2}, "Reciprocal": {0.5, 2}, "Sqrt": {0.5, 2}, "Exp": {-2, 2}, "Log": {0.5, 2},
		"Erf": {-2, 2}, "Sin": {-2, 2}, "Cos": {-2, 2}, "Tan": {-1, 1}, "Asin": {-0.9, 0.9}, "Acos": {-0.9, 0.9},
		"Atan": {-2, 2}, "Sinh": {-2, 2}, "Cosh": {-2, 2}, "Asinh": {-2, 2}, "Acosh": {1.5, 3}, "Atanh": {-0.9, 0.9},
		"Relu": {0.1, 2}, "LeakyRelu": {-2, -0.1}, "Sigmoid": {-2, 2}, "Tanh": {-2, 2}, "Elu": {-2, -0.1}, "Selu": {-2, -0.1},
		"Celu": {-2, -0.1}, "Softplus": {-2, 2}, "Softsign": {-2, 2}, "Gelu": {-2, 2}, "HardSigmoid": {-2, 2},
		"HardSwish": {-2.9, 2.9}, "Mish": {-2, 2}, "ThresholdedRelu": {1.1, 2}, "Swish": {-2, 2}, "Floor": {0.1, 0.9},
		"Ceil": {0.1, 0.9}, "Round": {0.1, 0.4}, "Sign": {0.1, 2}, "Identity": {-1, 1},
	} {
		x := random[float64](t, 1, span[0], span[1], 3, 4)
		checkGrad(t, op, tensors{x})
		checkGrad(t, op, tensors{random[float64](t, 2, span[0], span[1])})
		checkGrad(t, op, tensors{random[float64](t, 2, span[0], span[1], 0, 2)})
	}
	for _, op := range []string{"Relu", "LeakyRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "HardSigmoid", "HardSwish", "Abs"} {
		checkGrad(t, op, tensors{tensor(t, []float64{-9, -3.5, -0.7, -0.1, 0.1, 0.9, 2, 3.5, 9}, 9)})
	}
	checkGrad(t, "Gelu", tensors{random[float64](t, 1, -2, 2, 7)}, onnx.Str("approximate", "tanh"))
	checkGrad(t, "Swish", tensors{random[float64](t, 1, -2, 2, 7)}, onnx.Float("alpha", 1.5))
	checkGrad(t, "Elu", tensors{random[float64](t, 1, -2, 2, 7)}, onnx.Float("alpha", 1.5))
	checkGrad(t, "Celu", tensors{random[float64](t, 1, -2, 2, 7)}, onnx.Float("alpha", 1.5))
}

func TestGrad_binary(t *testing.T) {
	shapes := [][2][]int{{{2, 3}, {2, 3}}, {{2, 3}, {3}}, {{2, 1}, {1, 3}}, {{}, {2, 2}}, {{4, 1, 2}, {3, 1}}, {{0, 2}, {2}}, {{1}, {1}}}
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean", "Mod"} {
		for _, s := range shapes {
			var a attrs
			if op == "Mod" {
				a = attrs{onnx.Int("fmod", 1)}
			}
			checkGrad(t, op, tensors{random[float64](t, 3, 4.1, 5.9, s[0]...), random[float64](t, 4, 1.5, 1.9, s[1]...)}, a...)
		}
	}
	checkGrad(t, "Max", tensors{random[float64](t, 5, 0, 1, 4), random[float64](t, 6, 0, 1, 3, 4), random[float64](t, 7, 0, 1, 3, 1)})
	checkGrad(t, "Sum", tensors{random[float64](t, 5, 0, 1, 4), random[float64](t, 6, 0, 1, 3, 4), random[float64](t, 7, 0, 1, 3, 1)})
	checkGrad(t, "PRelu", tensors{random[float64](t, 5, -2, -1, 2, 3), random[float64](t, 6, 0, 1, 3)})
	checkGrad(t, "PRelu", tensors{random[float64](t, 5, 1, 2, 2, 3), random[float64](t, 6, 0, 1, 1)})
	cond := tensor(t, []bool{true, false, true}, 3)
	checkGrad(t, "Where", tensors{cond, random[float64](t, 5, 0, 1, 2, 3), random[float64](t, 6, 0, 1, 2, 1)})
}

func TestGrad_clip(t *testing.T) {
	x := tensor(t, []float64{-2, -0.5, 0.5, 2}, 4)
	lo, hi := onnx.Scalar(-1.0), onnx.Scalar(1.0)
	checkGrad(t, "Clip", tensors{x, lo, hi})
	checkGrad(t, "Clip", tensors{x, nil, hi})
	checkGrad(t, "Clip", tensors{x, lo})
	checkGrad(t, "Clip", tensors{x})
	checkGrad(t, "Clip", tensors{x, hi, lo})
}

func TestGrad_reduce(t *testing.T) {
	for _, op := range []string{"Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"} {
		x := random[float64](t, 8, 0.5, 2, 2, 3, 4)
		for _, axes := range []*onnx.Tensor{nil, onnx.Vector[int64](1), onnx.Vector[int64](-1, 0), onnx.Vector[int64](0, 1, 2)} {
			for keep := range int64(2) {
				checkGrad(t, "Reduce"+op, tensors{x, axes}, onnx.Int("keepdims", keep))
			}
		}
		checkGrad(t, "Reduce"+op, tensors{x}, onnx.Int("noop_with_empty_axes", 1))
		checkGrad(t, "Reduce"+op, tensors{random[float64](t, 8, 0.5, 2)})
	}
	for _, zeros := range [][]float64{{2, 0, 3}, {0, 0, 3}, {0, 0, 0}} {
		checkGrad(t, "ReduceProd", tensors{tensor(t, zeros, 3)})
	}
}

func TestGrad_lines(t *testing.T) {
	x := random[float64](t, 9, -2, 2, 2, 3, 4)
	for _, op := range []string{"Softmax", "LogSoftmax", "Hardmax"} {
		for axis := int64(-1); axis < 3; axis++ {
			checkGrad(t, op, tensors{x}, onnx.Int("axis", axis))
		}
	}
	for k := range int64(4) {
		checkGrad(t, "CumSum", tensors{x, onnx.Scalar[int64](1)}, onnx.Int("exclusive", k&1), onnx.Int("reverse", k>>1))
	}
}

func TestGrad_loss(t *testing.T) {
	x := random[float64](t, 10, -2, 2, 2, 3, 2)
	labels := tensor(t, []int64{0, 2, 1, 2}, 2, 2)
	for _, reduction := range []string{"mean", "sum", "none"} {
		for _, ignore := range []attrs{nil, {onnx.Int("ignore_index", 1)}} {
			a := append(attrs{onnx.Str("reduction", reduction)}, ignore...)
			checkGrad(t, "SoftmaxCrossEntropyLoss", tensors{x, labels}, a...)
			checkGradOuts(t, "SoftmaxCrossEntropyLoss", 2, tensors{x, labels}, a...)
			checkGrad(t, "NegativeLogLikelihoodLoss", tensors{x, labels}, a...)
		}
	}
}

// TestGrad_kinks holds the gradients where there is none, as PyTorch gives them.
func TestGrad_kinks(t *testing.T) {
	kink := func(op string, in tensors, a ...onnx.Attribute) []float64 {
		g, feeds := node(t, "", op, 1, in, a...)
		return onnx.Data[float64](gradient(t, g, feeds))
	}
	zero := tensor(t, []float64{0}, 1)
	require.Equal(t, []float64{0}, kink("Relu", tensors{zero}))
	require.Equal(t, []float64{0}, kink("Abs", tensors{zero}))
	require.Equal(t, []float64{1, 1}, kink("Clip", tensors{tensor(t, []float64{-1, 1}, 2), onnx.Scalar(-1.0), onnx.Scalar(1.0)}))
	require.Equal(t, []float64{0.5, 0, 0.5}, kink("ReduceMax", tensors{tensor(t, []float64{2, 1, 2}, 3)}))
	require.Equal(t, []float64{0.5}, kink("Max", tensors{zero, zero}))
	require.Equal(t, []float64{0}, kink("ReduceL2", tensors{zero}))
	require.Equal(t, []float64{0}, kink("HardSigmoid", tensors{tensor(t, []float64{2.5}, 1)}))
}
