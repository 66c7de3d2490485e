// Package loss has the losses that training minimises. A loss is a struct literal; its Build method appends the nodes that
// compute one number from a prediction and a target.
//
// Sources: Keras 3 losses, PyTorch torch.nn losses. Doc comments say whose rule it is where they differ.
package loss

import (
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/layer"
)

// Loss builds a loss. Any type with these methods is one.
type Loss interface {
	// Target is the type of the target that belongs to a prediction of type y.
	Target(y onnx.Type) onnx.Type
	// Build appends the loss of prediction y against target t and returns it: a scalar, the mean over the batch. Errors are
	// kept by b.
	Build(b *layer.Builder, y, t *onnx.Value) *onnx.Value
}

// CategoricalCrossEntropy is -Σ t·log(y) over the last axis, averaged over the rest. Predictions and targets have the same
// shape; targets are one-hot or any distribution.
//
// Predictions are probabilities unless FromLogits. A prediction that a Softmax makes is taken before it, which is exact
// where the logarithm of a small probability is not (as Keras does on TensorFlow); other probabilities are divided by their
// sum and clipped to [1e-7, 1-1e-7] as Keras does, with no gradient where clipped. ClipProbabilities asks for that
// even behind a Softmax.
//
// Source: Keras CategoricalCrossentropy; PyTorch CrossEntropyLoss with probability targets.
type CategoricalCrossEntropy struct {
	FromLogits        bool
	ClipProbabilities bool
	// LabelSmoothing moves a share of each target to the uniform distribution: t(1-s) + s/C.
	LabelSmoothing float64
}

// Target is the type of the prediction.
func (CategoricalCrossEntropy) Target(y onnx.Type) onnx.Type { return y.Clone() }

// Build appends the loss.
func (l CategoricalCrossEntropy) Build(b *layer.Builder, y, t *onnx.Value) *onnx.Value {
	if s := l.LabelSmoothing; s != 0 {
		c := b.Dim(y, y.Type.Rank()-1)
		t = op(b, "Add", op(b, "Mul", t, b.Scalar(1-s)), b.Scalar(s/float64(c)))
	}
	logp := logProbabilities(b, y, l.FromLogits, l.ClipProbabilities)
	per := sumLast(b, op(b, "Mul", t, logp))
	return op(b, "Neg", mean(b, per))
}

// SparseCategoricalCrossEntropy is -log(y[t]), averaged. Targets are class numbers (int64) of the prediction's shape without
// its last axis. See CategoricalCrossEntropy for how probabilities are taken.
//
// Source: Keras SparseCategoricalCrossentropy; PyTorch CrossEntropyLoss with class indices.
type SparseCategoricalCrossEntropy struct {
	FromLogits        bool
	ClipProbabilities bool
}

// Target is int64, the prediction's shape without its last axis.
func (SparseCategoricalCrossEntropy) Target(y onnx.Type) onnx.Type {
	if y.Rank() < 1 {
		return onnx.Unranked(onnx.Int64)
	}
	return onnx.TensorOf(onnx.Int64, y.Shape[:len(y.Shape)-1]...)
}

// Build appends the loss.
func (l SparseCategoricalCrossEntropy) Build(b *layer.Builder, y, t *onnx.Value) *onnx.Value {
	if y.Type.Rank() != 2 {
		b.Fail(onnx.Invalidf("loss: sparse categorical cross-entropy: expected a prediction of rank 2, received %v", y.Type))
		return nil
	}
	if z := logits(y, l.FromLogits, l.ClipProbabilities); z != nil {
		return b.Node("", "SoftmaxCrossEntropyLoss", 1, []*onnx.Value{z, t}).Out(0)
	}
	logp := logProbabilities(b, y, false, l.ClipProbabilities)
	return b.Node("", "NegativeLogLikelihoodLoss", 1, []*onnx.Value{logp, t}).Out(0)
}

// MeanSquaredError is (y-t)², averaged over all elements.
//
// Source: Keras MeanSquaredError, PyTorch MSELoss.
type MeanSquaredError struct{}

// Target is the type of the prediction.
func (MeanSquaredError) Target(y onnx.Type) onnx.Type { return y.Clone() }

// Build appends the loss.
func (MeanSquaredError) Build(b *layer.Builder, y, t *onnx.Value) *onnx.Value {
	d := op(b, "Sub", y, t)
	return mean(b, op(b, "Mul", d, d))
}

func op(b *layer.Builder, opType string, in ...*onnx.Value) *onnx.Value { return b.Op(opType, in) }

// mean is the mean over all elements.
func mean(b *layer.Builder, x *onnx.Value) *onnx.Value {
	return b.Op("ReduceMean", []*onnx.Value{x}, onnx.Int("keepdims", 0))
}

// sumLast is the sum over the last axis.
func sumLast(b *layer.Builder, x *onnx.Value) *onnx.Value {
	return b.Op("ReduceSum", []*onnx.Value{x, b.Const(onnx.Vector[int64](-1))}, onnx.Int("keepdims", 0))
}

// logits is what a prediction is the softmax of; nil when it is no softmax or must not be looked behind.
func logits(y *onnx.Value, given, clip bool) *onnx.Value {
	if given {
		return y
	}
	n := y.Node()
	if n == nil || n.OpType != "Softmax" || n.Domain != "" || clip {
		return nil
	}
	axis, rank := n.Int("axis", -1), int64(y.Type.Rank())
	if axis != -1 && axis != rank-1 {
		return nil
	}
	return n.In(0)
}

func logProbabilities(b *layer.Builder, y *onnx.Value, given, clip bool) *onnx.Value {
	if z := logits(y, given, clip); z != nil {
		return b.Op("LogSoftmax", []*onnx.Value{z}, onnx.Int("axis", -1))
	}
	sum := b.Op("ReduceSum", []*onnx.Value{y, b.Const(onnx.Vector[int64](-1))}, onnx.Int("keepdims", 1))
	p := op(b, "Clip", op(b, "Div", y, sum), b.Scalar(1e-7), b.Scalar(1-1e-7))
	return op(b, "Log", p)
}
