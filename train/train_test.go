package train_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/layer"
	"github.com/gneiss-ml/gneiss/train/loss"
	"github.com/gneiss-ml/gneiss/train/metric"
	"github.com/gneiss-ml/gneiss/train/optimizer"
	"github.com/stretchr/testify/require"
)

// blobs is n images [1, 8, 8] of two classes: a bright upper or lower half, with noise.
func blobs(t *testing.T, n int) dataset.Dataset {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float32, n*64), make([]float32, n*2)
	for i := range n {
		class := i % 2
		y[i*2+class] = 1
		for j := range 64 {
			v := r.Float32() * 0.8
			if (j < 32) == (class == 0) {
				v += 0.4
			}
			x[i*64+j] = v
		}
	}
	xs, err := onnx.NewTensor(x, n, 1, 8, 8)
	require.NoError(t, err)
	ys, err := onnx.NewTensor(y, n, 2)
	require.NoError(t, err)
	return dataset.Pair(xs, ys)
}

func small(t *testing.T, c train.Config) *train.Model {
	t.Helper()
	m, err := train.Sequential(
		layer.Input{Name: "image", Shape: []int{1, 8, 8}},
		layer.Conv2D{Filters: 4, Kernel: [2]int{3, 3}, Activation: layer.ReLU},
		layer.MaxPool2D{},
		layer.Flatten{},
		layer.Dense{Units: 8, Activation: layer.ReLU},
		layer.Dropout{Rate: 0.2},
		layer.Dense{Units: 2, Activation: layer.Softmax},
	)
	require.NoError(t, err)
	if c.Loss == nil {
		c.Loss = loss.CategoricalCrossEntropy{}
	}
	if c.Optimizer == nil {
		c.Optimizer = optimizer.Adam{LearningRate: 0.01}
	}
	c.Metrics = []metric.Metric{metric.Accuracy{}}
	require.NoError(t, m.Compile(c))
	return m
}

func TestFit(t *testing.T) {
	m := small(t, train.Config{Seed: 1})
	h, err := m.Fit(context.Background(), blobs(t, 200), train.FitOptions{Epochs: 5, BatchSize: 16, ValidationSplit: 0.2})
	require.NoError(t, err)
	require.Len(t, h.Epochs, 5)
	last := h.Epochs[4]
	require.Equal(t, 160, last.Rows)
	require.Less(t, last.Loss, h.Epochs[0].Loss)
	require.Greater(t, last.ValMetrics["accuracy"], 0.95)
}
