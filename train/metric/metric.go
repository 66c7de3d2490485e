// Package metric has the numbers that are reported beside the loss. A metric accumulates counts and sums over batches, never
// means of means.
//
// Sources: Keras 3 metrics, torchmetrics.
package metric

import (
	"github.com/gneiss-ml/gneiss/onnx"
)

// Metric makes accumulators. Any type with these methods is a metric.
type Metric interface {
	// Name is the key in a history: "accuracy".
	Name() string
	// New starts an accumulation for predictions of type y and targets of type t.
	New(y, t onnx.Type) (Accumulator, error)
}

// Accumulator gathers a metric over batches. It is used by one goroutine.
type Accumulator interface {
	// Add takes a batch of predictions y and targets t.
	Add(y, t *onnx.Tensor) error
	// Value is the metric of all that was added; 0 when nothing was.
	Value() float64
	// Reset forgets all.
	Reset()
}

// Accuracy is the share of right predictions. What is right follows from the shapes, as Keras resolves "accuracy": a
// prediction whose last axis is 1 is right when (p > 0.5) equals the target; class numbers as targets are compared with the
// largest prediction's place, and so is the place of the largest element of any other target. Ties go to the lowest place.
type Accuracy struct{}

// Name is "accuracy".
func (Accuracy) Name() string { return "accuracy" }

// New chooses by the shapes.
func (Accuracy) New(y, t onnx.Type) (Accumulator, error) {
	if y.Rank() < 1 || !t.Ranked {
		return nil, onnx.Invalidf("metric: accuracy: expected a ranked prediction and target, received %v and %v", y, t)
	}
	last := y.Shape[len(y.Shape)-1]
	switch {
	case last.IsFixed() && last.N == 1:
		return &accuracy{kind: binary}, nil
	case t.Rank() < y.Rank() || t.Shape[len(t.Shape)-1] == onnx.Fixed(1):
		return &accuracy{kind: sparse}, nil
	}
	return &accuracy{kind: categorical}, nil
}

type kind uint8

const (
	binary kind = iota
	sparse
	categorical
)

type accuracy struct {
	kind         kind
	right, total int
}

func (a *accuracy) Reset() { a.right, a.total = 0, 0 }

func (a *accuracy) Value() float64 {
	if a.total == 0 {
		return 0
	}
	return float64(a.right) / float64(a.total)
}

func (a *accuracy) Add(y, t *onnx.Tensor) error {
	p, ok := floats(y)
	if !ok || len(y.Shape) == 0 {
		return onnx.Invalidf("metric: accuracy: expected a float prediction, received %v", y.Type())
	}
	c := y.Shape[len(y.Shape)-1]
	if c == 0 {
		return nil
	}
	want, ok := floats(t)
	rows := len(p) / c
	if n := rows * c; !ok || a.kind == sparse && len(want) != rows || a.kind != sparse && len(want) != n {
		return onnx.Invalidf("metric: accuracy: target %v does not fit prediction %v", t.Type(), y.Type())
	}
	for i := range rows {
		if a.hit(p[i*c:(i+1)*c], want, i, c) {
			a.right++
		}
	}
	a.total += rows
	return nil
}

func (a *accuracy) hit(p, want []float64, i, c int) bool {
	switch a.kind {
	case binary:
		return (p[0] > 0.5) == (want[i] > 0.5)
	case sparse:
		return float64(argmax(p)) == want[i]
	}
	return argmax(p) == argmax(want[i*c:(i+1)*c])
}

func argmax(v []float64) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// floats copies t's elements as float64.
func floats(t *onnx.Tensor) ([]float64, bool) {
	switch t.Elem {
	case onnx.Float32:
		return widen(onnx.Data[float32](t)), true
	case onnx.Float64:
		return widen(onnx.Data[float64](t)), true
	case onnx.Int64:
		return widen(onnx.Data[int64](t)), true
	case onnx.Int32:
		return widen(onnx.Data[int32](t)), true
	case onnx.Uint8:
		return widen(onnx.Data[uint8](t)), true
	}
	return nil, false
}

func widen[T float32 | float64 | int64 | int32 | uint8](v []T) []float64 {
	d := make([]float64, len(v))
	for i, x := range v {
		d[i] = float64(x)
	}
	return d
}
