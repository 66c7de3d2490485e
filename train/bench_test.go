package train_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/layer"
	"github.com/gneiss-ml/gneiss/train/loss"
	"github.com/gneiss-ml/gneiss/train/optimizer"
	"github.com/stretchr/testify/require"
)

// seedNetwork is the CNN that the project's figures of training are about.
func seedNetwork(t testing.TB, c train.Config) *train.Model {
	t.Helper()
	m, err := train.Sequential(
		layer.Input{Name: "image", Shape: []int{1, 28, 28}},
		layer.Conv2D{Filters: 32, Kernel: [2]int{3, 3}, Activation: layer.ReLU},
		layer.MaxPool2D{},
		layer.Conv2D{Filters: 64, Kernel: [2]int{3, 3}, Activation: layer.ReLU},
		layer.MaxPool2D{},
		layer.Flatten{},
		layer.Dense{Units: 128, Activation: layer.ReLU},
		layer.Dropout{Rate: 0.5},
		layer.Dense{Units: 10, Activation: layer.Softmax},
	)
	require.NoError(t, err)
	require.NoError(t, m.Compile(c))
	return m
}

// BenchmarkTrain is one training step of the seed network on a batch of 64 images.
func BenchmarkTrain(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			m := seedNetwork(b, train.Config{
				Optimizer: optimizer.Adam{}, Loss: loss.CategoricalCrossEntropy{}, Seed: 1, Threads: threads,
			})
			x, err := onnx.Zeros(onnx.Float32, 64, 1, 28, 28)
			require.NoError(b, err)
			for i, v := 0, onnx.View[float32](x.Mutable()); i < len(v); i++ {
				v[i] = float32(i*7919%1000) / 1000
			}
			y, err := onnx.Zeros(onnx.Float32, 64, 10)
			require.NoError(b, err)
			for i := range 64 {
				onnx.View[float32](y.Mutable())[i*10+i%10] = 1
			}
			batch := &dataset.Batch{Inputs: []*onnx.Tensor{x}, Targets: []*onnx.Tensor{y}}
			for range 3 {
				_, err = m.TrainBatch(context.Background(), batch)
				require.NoError(b, err)
			}
			for b.Loop() {
				_, err := m.TrainBatch(context.Background(), batch)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.N)*64/b.Elapsed().Seconds(), "images/s")
		})
	}
}
