package loss_test

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/layer"
	"github.com/gneiss-ml/gneiss/train/loss"
)

// show prints the loss of predictions y against targets t.
func show(l loss.Loss, y, t *onnx.Tensor) {
	v, err := evaluate(l, layer.Linear, y, t)
	fmt.Printf("%.4f %v\n", v, err)
}

func ExampleCategoricalCrossEntropy() {
	y, _ := onnx.NewTensor([]float32{0.5, 0.25, 0.25}, 1, 3)
	t, _ := onnx.NewTensor([]float32{1, 0, 0}, 1, 3)
	show(loss.CategoricalCrossEntropy{}, y, t) // -log(1/2)
	// Output: 0.6931 <nil>
}

func ExampleSparseCategoricalCrossEntropy() {
	y, _ := onnx.NewTensor([]float32{0.5, 0.25, 0.25}, 1, 3)
	show(loss.SparseCategoricalCrossEntropy{}, y, onnx.Vector[int64](2)) // -log(1/4)
	// Output: 1.3863 <nil>
}

func ExampleMeanSquaredError() {
	show(loss.MeanSquaredError{}, onnx.Vector[float32](1, 2), onnx.Vector[float32](1, 4))
	// Output: 2.0000 <nil>
}

// meanAbsolute is a loss of one's own.
type meanAbsolute struct{}

func (meanAbsolute) Target(y onnx.Type) onnx.Type { return y }

func (meanAbsolute) Build(b *layer.Builder, y, t *onnx.Value) *onnx.Value {
	d := b.Op("Abs", []*onnx.Value{b.Op("Sub", []*onnx.Value{y, t})})
	return b.Op("ReduceMean", []*onnx.Value{d}, onnx.Int("keepdims", 0))
}

func ExampleLoss() {
	show(meanAbsolute{}, onnx.Vector[float32](1, 2), onnx.Vector[float32](1, 4))
	// Output: 1.0000 <nil>
}
