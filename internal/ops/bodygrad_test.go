package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
)

// Gradients that go through the bodies of operators, and those of products of updates.

func TestGrad_classWeights(t *testing.T) {
	x, w := random[float64](t, 1, -1, 1, 4, 3, 2), random[float64](t, 2, 0.5, 1, 3)
	labels := tensor(t, []int64{0, 1, 2, 1, 0, 0, 2, 1}, 4, 2)
	for _, reduction := range []string{"none", "sum", "mean"} {
		a := onnx.Str("reduction", reduction)
		checkGrad(t, "NegativeLogLikelihoodLoss", tensors{x, labels, w}, a)
		checkGrad(t, "NegativeLogLikelihoodLoss", tensors{x, labels, w}, a, onnx.Int("ignore_index", 1))
		checkGrad(t, "SoftmaxCrossEntropyLoss", tensors{x, labels, w}, a)
		checkGradOuts(t, "SoftmaxCrossEntropyLoss", 2, tensors{x, labels, w}, a, onnx.Int("ignore_index", 1))
	}
}

func TestGrad_statistics(t *testing.T) {
	x := random[float64](t, 1, -1, 1, 2, 3, 4)
	for _, axis := range []int64{0, 1, -1} {
		shape := []int{2, 3, 4}[(axis+3)%3:]
		scale, bias := random[float64](t, 2, -1, 1, shape...), random[float64](t, 3, -1, 1, shape...)
		a := attrs{onnx.Int("axis", axis), onnx.Int("stash_type", 11), onnx.Float("epsilon", 0.01)}
		checkGradOuts(t, "LayerNormalization", 3, tensors{x, scale, bias}, a...)
	}
}

func TestGrad_factors(t *testing.T) {
	x := random[float64](t, 1, 0.5, 1, 3, 4)
	mul := onnx.Str("reduction", "mul")
	// Places that several updates reach, some of them zero: one, two, and none.
	at := tensor(t, []int64{0, 1, 1, 2, 0, 1, 2, 2}, 2, 4)
	u := tensor(t, []float64{0.5, 2, 0, 3, -1, 0.7, 0, 0}, 2, 4)
	checkGrad(t, "ScatterElements", tensors{x, at, u}, mul)
	rows := tensor(t, []int64{1, 1, 0}, 3, 1)
	checkGrad(t, "ScatterND", tensors{x, rows, tensor(t, []float64{2, 0, 0.5, -1, 3, 0, 0, 4, 0, 1, 1, 2}, 3, 4)}, mul)
}

func TestGrad_inverseOneSided(t *testing.T) {
	a := attrs{onnx.Int("inverse", 1), onnx.Int("onesided", 1)}
	for _, axis := range []int64{1, -2} {
		x := random[float64](t, 1, -1, 1, 2, 5, 2)
		checkGrad(t, "DFT", tensors{x, nil, onnx.Scalar(axis)}, a...)
		for _, n := range []int64{5, 7, 8, 9, 12} { // odd and even, cut and filled
			checkGrad(t, "DFT", tensors{x, onnx.Scalar(n), onnx.Scalar(axis)}, a...)
		}
	}
	checkGrad(t, "DFT", tensors{random[float64](t, 1, -1, 1, 3, 2, 2), onnx.Scalar[int64](4), onnx.Scalar[int64](0)}, a...)
	checkGrad(t, "DFT", tensors{random[float64](t, 1, -1, 1, 2, 4, 1), nil, onnx.Scalar[int64](1)}, a...)
}

func TestGrad_maxPoolColumns(t *testing.T) {
	x := random[float64](t, 1, -1, 1, 1, 2, 5, 4)
	checkGradOuts(t, "MaxPool", 2, tensors{x}, onnx.Ints("kernel_shape", 2, 3), onnx.Int("storage_order", 1))
}
