package layer_test

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/initializer"
	"github.com/gneiss-ml/gneiss/train/layer"
)

// show builds l on an input of the given dims and prints the output's type and the parameters.
func show(l layer.Layer, dims ...any) {
	b, y := built(l, convention.Keras, dims...)
	if b.Err() != nil {
		fmt.Println(b.Err())
		return
	}
	fmt.Println(y.Type)
	for _, p := range b.Parameters {
		fmt.Println(p.Value.Name, p.Value.Type)
	}
}

func ExampleInput() {
	b := layer.NewBuilder("net", convention.Keras)
	fmt.Println(layer.Input{Name: "image", Shape: []int{1, 28, 28}}.Build(b).Type)
	// Output: float[N,1,28,28]
}

func ExampleDense() {
	show(layer.Dense{Units: 10, Activation: layer.Softmax}, "N", 128)
	// Output:
	// float[N,10]
	// dense.weight float[10,128]
	// dense.bias float[10]
}

func ExampleConv2D() {
	show(layer.Conv2D{Filters: 32, Kernel: [2]int{3, 3}, Activation: layer.ReLU}, "N", 1, 28, 28)
	// Output:
	// float[N,32,26,26]
	// conv2d.weight float[32,1,3,3]
	// conv2d.bias float[32]
}

func ExamplePadding() {
	show(layer.Conv2D{Filters: 1, Kernel: [2]int{3, 3}, Padding: layer.Same, NoBias: true}, "N", 1, 28, 28)
	show(layer.MaxPool2D{Padding: layer.Padding{Bottom: 1}}, "N", 1, 27, 28)
	// Output:
	// float[N,1,28,28]
	// conv2d.weight float[1,1,3,3]
	// float[N,1,14,14]
}

func ExamplePadBy() {
	show(layer.Conv2D{Filters: 1, Kernel: [2]int{5, 5}, Padding: layer.PadBy(2), NoBias: true}, "N", 1, 28, 28)
	// Output:
	// float[N,1,28,28]
	// conv2d.weight float[1,1,5,5]
}

func ExampleMaxPool2D() {
	show(layer.MaxPool2D{}, "N", 32, 26, 26)
	// Output: float[N,32,13,13]
}

func ExampleAveragePool2D() {
	show(layer.AveragePool2D{Size: [2]int{3, 3}}, "N", 32, 27, 27)
	// Output: float[N,32,9,9]
}

func ExampleGlobalAveragePool2D() {
	show(layer.GlobalAveragePool2D{}, "N", 64, 7, 7)
	// Output: float[N,64]
}

func ExampleFlatten() {
	show(layer.Flatten{}, "N", 64, 5, 5)
	// Output: float[N,1600]
}

func ExampleDropout() {
	show(layer.Dropout{Rate: 0.5}, "N", 128)
	show(layer.Dropout{Rate: 5}, "N", 128)
	// Output:
	// float[N,128]
	// layer: Dropout: expected a rate from 0 to 1, received 5
}

func ExampleBatchNormalization() {
	show(layer.BatchNormalization{}, "N", 32, 26, 26)
	// Output:
	// float[N,32,26,26]
	// batch_normalization.weight float[32]
	// batch_normalization.bias float[32]
	// batch_normalization.running_mean float[32]
	// batch_normalization.running_var float[32]
}

// An activation is a field of a layer, or a layer.
func ExampleActivation() {
	show(layer.GELU, "N", 128)
	fmt.Println(layer.GELU)
	// Output:
	// float[N,128]
	// gelu
}

// residual is a layer of one's own: x + dense(x).
type residual struct{ units int }

func (l residual) Build(b *layer.Builder, x ...*onnx.Value) *onnx.Value {
	y := layer.Dense{Units: l.units, Activation: layer.ReLU}.Build(b, x...)
	return b.Op("Add", []*onnx.Value{x[0], y})
}

func ExampleLayer() {
	show(residual{units: 8}, "N", 8)
	// Output:
	// float[N,8]
	// dense.weight float[8,8]
	// dense.bias float[8]
}

// scale is a layer with a parameter of its own.
type scale struct{}

func (scale) Build(b *layer.Builder, x ...*onnx.Value) *onnx.Value {
	c := b.Dim(x[0], 1)
	w := b.Parameter("scale", initializer.Constant{Value: 1}, initializer.Fans{In: 1, Out: 1}, c)
	return b.Op("Mul", []*onnx.Value{x[0], w})
}

func ExampleBuilder() {
	show(scale{}, "N", 3)
	// Output:
	// float[N,3]
	// scale float[3]
}

func ExampleParameter() {
	b, _ := built(layer.BatchNormalization{}, convention.Keras, "N", 3)
	for _, p := range b.Parameters {
		fmt.Println(p.Value.Name, p.Trainable, p.Initializer)
	}
	// Output:
	// batch_normalization.weight true constant(1)
	// batch_normalization.bias true zeros
	// batch_normalization.running_mean false zeros
	// batch_normalization.running_var false constant(1)
}

func ExampleRow() {
	b, _ := built(residual{units: 8}, convention.Keras, "N", 8)
	for _, r := range b.Layers {
		fmt.Println(r.Name, r.Kind, r.Output, len(r.Parameters))
	}
	// Output: dense Dense float[N,8] 2
}

func ExampleTrainingForm() {
	b, _ := built(layer.Dropout{Rate: 0.5}, convention.Keras, "N", 8)
	for _, f := range b.TrainingForms() {
		fmt.Println(f.Node.OpType, f.Do == nil)
	}
	// Output: Dropout true
}
