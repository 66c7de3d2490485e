package train_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/layer"
	"github.com/gneiss-ml/gneiss/train/loss"
	"github.com/gneiss-ml/gneiss/train/metric"
	"github.com/gneiss-ml/gneiss/train/optimizer"
)

// line is 64 rows of y = 3x - 1.
func line() dataset.Dataset {
	x, y := make([]float32, 64), make([]float32, 64)
	for i := range x {
		x[i] = float32(i)/32 - 1
		y[i] = 3*x[i] - 1
	}
	xs, _ := onnx.NewTensor(x, 64, 1)
	ys, _ := onnx.NewTensor(y, 64, 1)
	return dataset.Pair(xs, ys)
}

// regression is a compiled model of one dense layer.
func regression() *train.Model {
	model, err := train.Sequential(layer.Input{Name: "x", Shape: []int{1}}, layer.Dense{Name: "d", Units: 1})
	if err != nil {
		panic(err)
	}
	if err := model.Compile(train.Config{Optimizer: optimizer.SGD{LearningRate: 0.1}, Loss: loss.MeanSquaredError{}, Seed: 1}); err != nil {
		panic(err)
	}
	return model
}

func ExampleSequential() {
	model, err := train.Sequential(
		layer.Input{Name: "image", Shape: []int{1, 28, 28}},
		layer.Conv2D{Filters: 32, Kernel: [2]int{3, 3}, Activation: layer.ReLU},
		layer.MaxPool2D{Size: [2]int{2, 2}},
		layer.Flatten{},
		layer.Dense{Units: 10, Activation: layer.Softmax},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := model.Compile(train.Config{Loss: loss.CategoricalCrossEntropy{}, Seed: 1}); err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range model.Parameters() {
		fmt.Println(p.Name, p.Size())
	}
	// Output:
	// conv2d.weight 288
	// conv2d.bias 32
	// dense.weight 54080
	// dense.bias 10
}

// Any topology is a graph of layers called on values: here two branches that are added.
func ExampleFunctional() {
	b := layer.NewBuilder("branches", convention.Keras)
	x := layer.Input{Name: "x", Shape: []int{4}}.Build(b)
	left, right := layer.Dense{Units: 3}.Build(b, x), layer.Dense{Units: 3, Activation: layer.Tanh}.Build(b, x)
	model, err := train.Functional(b, []*onnx.Value{x}, []*onnx.Value{b.Op("Add", []*onnx.Value{left, right})})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(model.Parameters()))
	// Output: 4
}

func ExampleModel_Fit() {
	model := regression()
	history, err := model.Fit(context.Background(), line(), train.FitOptions{Epochs: 40, BatchSize: 8})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(history.Epochs), history.Epochs[39].Loss < 1e-6)
	x, _ := onnx.NewTensor([]float32{2}, 1, 1)
	y, err := model.Predict(context.Background(), x)
	fmt.Printf("%.2f %v\n", onnx.Data[float32](y)[0], err)
	// Output:
	// 40 true
	// 5.00 <nil>
}

// Where a callback would be written, a loop: early stopping is a break.
func ExampleModel_Epochs() {
	model := regression()
	for epoch, err := range model.Epochs(context.Background(), line(), train.FitOptions{Epochs: 1000, BatchSize: 8}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if epoch.Loss < 1e-4 {
			fmt.Println("stopped early:", epoch.Epoch < 100)
			break
		}
	}
	// Output: stopped early: true
}

func ExampleModel_Evaluate() {
	model := regression()
	if _, err := model.Fit(context.Background(), line(), train.FitOptions{Epochs: 40, BatchSize: 8}); err != nil {
		fmt.Println(err)
		return
	}
	score, err := model.Evaluate(context.Background(), line())
	fmt.Println(score.Rows, score.Loss < 1e-6, err)
	// Output: 64 true <nil>
}

// A trained model is written as ONNX; any runtime reads it, and so does train.Open, which trains on.
func ExampleModel_ONNX() {
	model := regression()
	m, err := model.ONNX()
	if err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "gneiss")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "line.onnx")
	if err := m.WriteFile(path); err != nil {
		fmt.Println(err)
		return
	}
	again, err := train.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range again.Parameters() {
		fmt.Println(p.Name, p.Shape, p.Trainable)
	}
	// Output:
	// d.weight [1 1] true
	// d.bias [1] true
}

func ExampleModel() {
	model := regression()
	for i := range 3 {
		if _, err := model.Fit(context.Background(), line(), train.FitOptions{Epochs: 10}); err != nil {
			fmt.Println(err)
			return
		}
		score, err := model.Evaluate(context.Background(), line())
		fmt.Println(i, score.Loss < 1, err)
	}
	// Output:
	// 0 true <nil>
	// 1 true <nil>
	// 2 true <nil>
}

func ExampleParameter() {
	for _, p := range regression().Parameters() {
		fmt.Println(p.Name, p.Shape, p.Elem, p.Size(), p.Trainable)
	}
	// Output:
	// d.weight [1 1] float 1 true
	// d.bias [1] float 1 true
}

func ExampleConfig() {
	model, err := train.Sequential(layer.Input{Shape: []int{2}}, layer.Dense{Units: 3, Activation: layer.Softmax})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = model.Compile(train.Config{
		Optimizer: optimizer.Adam{}, Loss: loss.SparseCategoricalCrossEntropy{}, Metrics: []metric.Metric{metric.Accuracy{}},
		Convention: convention.PyTorch, Seed: 7,
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleFitOptions() {
	history, err := regression().Fit(context.Background(), line(), train.FitOptions{Epochs: 2, BatchSize: 16, ValidationSplit: 0.25, NoShuffle: true})
	fmt.Println(history.Epochs[1].Rows, history.Epochs[1].Validated, err)
	// Output: 48 true <nil>
}

// A callback that returns ErrStop ends the training without an error.
func ExampleBatchEnd() {
	stop := func(b train.BatchEnd) error {
		if b.Batch == 2 {
			return train.ErrStop
		}
		return nil
	}
	_, err := regression().Fit(context.Background(), line(), train.FitOptions{Epochs: 3, BatchSize: 8, OnBatch: stop})
	fmt.Println(err, errors.Is(err, train.ErrStop))
	// Output: <nil> false
}

func ExampleHistory() {
	history, err := regression().Fit(context.Background(), line(), train.FitOptions{Epochs: 3, BatchSize: 8})
	if err != nil {
		fmt.Println(err)
		return
	}
	losses, _ := history.Series("loss")
	fmt.Println(len(losses), losses[2] < losses[0])
	_, ok := history.Series("val_loss")
	fmt.Println(ok)
	// Output:
	// 3 true
	// false
}

func ExampleEpoch() {
	for epoch, err := range regression().Epochs(context.Background(), line(), train.FitOptions{BatchSize: 8}) {
		fmt.Println(epoch.Epoch, epoch.Rows, epoch.Loss > 0, err)
	}
	// Output: 0 64 true <nil>
}

func ExampleScore() {
	score, err := regression().Evaluate(context.Background(), line())
	fmt.Println(score.Rows, score.Loss > 0, err)
	// Output: 64 true <nil>
}

// Batch normalisation of a model that was read from a file keeps its statistics unless told otherwise.
func ExampleBatchNormMode() {
	fmt.Println(train.Config{}.BatchNorm == train.Frozen)
	// Output: true
}

// A checkpoint holds all that a training needs to go on as if it had not been interrupted.
func ExampleModel_SaveCheckpoint() {
	dir, err := os.MkdirTemp("", "gneiss")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	model := regression()
	if _, err := model.Fit(context.Background(), line(), train.FitOptions{Epochs: 2, BatchSize: 8}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(model.SaveCheckpoint(dir))
	resumed := regression()
	fmt.Println(resumed.LoadCheckpoint(dir))
	history, err := resumed.Fit(context.Background(), line(), train.FitOptions{Epochs: 3, BatchSize: 8})
	fmt.Println(history.Epochs[0].Epoch, err)
	// Output:
	// <nil>
	// <nil>
	// 2 <nil>
}
