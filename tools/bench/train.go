package main

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/loss"
	"github.com/gneiss-ml/gneiss/train/optimizer"
)

// trained is the answer of a training run.
type trained struct {
	Threads         int     `json:"threads"`
	Batch           int     `json:"batch"`
	Steps           int     `json:"steps"`
	ImagesPerSecond float64 `json:"images_per_second"`
	Loss            float64 `json:"loss"`
}

// warmSteps are not counted.
const warmSteps = 5

// trainFile trains the classifier in the file at path, whose outputs are logits, by SGD with momentum on one random batch of
// images of shape [batch, ...] and labels, and says how fast it was.
func trainFile(path string, threads, steps int, shape []int, classes int, answers io.Writer) error {
	m, err := train.Open(path)
	if err != nil {
		return err
	}
	err = m.Compile(train.Config{
		Optimizer: optimizer.SGD{LearningRate: 0.01, Momentum: 0.9}, Loss: loss.SparseCategoricalCrossEntropy{FromLogits: true},
		BatchNorm: train.UpdateStatistics, Seed: 1, Threads: threads,
	})
	if err != nil {
		return err
	}
	batch, err := randomBatch(shape, classes)
	if err != nil {
		return err
	}
	a := trained{Threads: threads, Batch: shape[0], Steps: steps}
	var start time.Time
	for i := range warmSteps + steps {
		if i == warmSteps {
			start = time.Now()
		}
		if a.Loss, err = m.TrainBatch(context.Background(), batch); err != nil {
			return err
		}
	}
	a.ImagesPerSecond = float64(steps*shape[0]) / time.Since(start).Seconds()
	return json.NewEncoder(answers).Encode(a)
}

// randomBatch is images between 0 and 1 and labels.
func randomBatch(shape []int, classes int) (*dataset.Batch, error) {
	x, err := onnx.Zeros(onnx.Float32, shape...)
	if err != nil {
		return nil, err
	}
	for i, v := 0, onnx.View[float32](x.Mutable()); i < len(v); i++ {
		v[i] = float32(uint32(i)*2654435761>>8) / (1 << 24)
	}
	y, err := onnx.Zeros(onnx.Int64, shape[0])
	if err != nil {
		return nil, err
	}
	for i, v := 0, onnx.View[int64](y.Mutable()); i < len(v); i++ {
		v[i] = int64(i % classes)
	}
	return &dataset.Batch{Inputs: []*onnx.Tensor{x}, Targets: []*onnx.Tensor{y}}, nil
}
