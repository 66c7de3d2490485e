package optimizer_test

import (
	"context"
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/initializer"
	"github.com/gneiss-ml/gneiss/train/layer"
	"github.com/gneiss-ml/gneiss/train/loss"
	"github.com/gneiss-ml/gneiss/train/optimizer"
	"github.com/stretchr/testify/require"
)

const start = 1.0 // of the one weight

// scalarModel is y = w·x with w = start, compiled with o.
func scalarModel(o optimizer.Optimizer, c convention.Convention) (*train.Model, error) {
	m, err := train.Sequential(
		layer.Input{Shape: []int{1}},
		layer.Dense{Name: "d", Units: 1, NoBias: true, WeightInitializer: initializer.Constant{Value: start}},
	)
	if err != nil {
		return nil, err
	}
	return m, m.Compile(train.Config{Optimizer: o, Loss: loss.MeanSquaredError{}, Convention: c})
}

// steps trains on (x=1, target=0), whose gradient is 2w, and gives the weight after each step.
func steps(t *testing.T, o optimizer.Optimizer, c convention.Convention, n int) []float64 {
	t.Helper()
	m, err := scalarModel(o, c)
	require.NoError(t, err)
	one, err := onnx.NewTensor([]float32{1}, 1, 1)
	require.NoError(t, err)
	zero, err := onnx.NewTensor([]float32{0}, 1, 1)
	require.NoError(t, err)
	w := make([]float64, n)
	for i := range w {
		_, err := m.TrainBatch(context.Background(), &dataset.Batch{Inputs: []*onnx.Tensor{one}, Targets: []*onnx.Tensor{zero}})
		require.NoError(t, err)
		state, err := m.State()
		require.NoError(t, err)
		w[i] = float64(onnx.Data[float32](state["d.weight"])[0])
	}
	return w
}

// expect runs the rule in float64: next gives the new weight from step number, weight and gradient.
func expect(t *testing.T, got []float64, next func(step int, w, g float64) float64) {
	t.Helper()
	w := start
	for i, x := range got {
		w = next(i+1, w, 2*w)
		require.InDelta(t, w, x, 2e-6, "step %d", i+1)
	}
}

func TestSGD(t *testing.T) {
	expect(t, steps(t, optimizer.SGD{}, convention.Keras, 5), func(_ int, w, g float64) float64 { return w - 0.01*g })
	expect(t, steps(t, optimizer.SGD{}, convention.PyTorch, 5), func(_ int, w, g float64) float64 { return w - 0.001*g })
	expect(t, steps(t, optimizer.SGD{LearningRate: 0.1}, convention.Keras, 5), func(_ int, w, g float64) float64 { return w - 0.1*g })
	expect(t, steps(t, optimizer.SGD{LearningRate: optimizer.Zero}, convention.Keras, 2), func(_ int, w, _ float64) float64 { return w })
}

func TestSGD_momentum(t *testing.T) {
	const rate, mu = 0.1, 0.9
	for _, nesterov := range []bool{false, true} {
		o := optimizer.SGD{LearningRate: rate, Momentum: mu, Nesterov: nesterov}
		m := 0.0
		expect(t, steps(t, o, convention.Keras, 8), func(_ int, w, g float64) float64 {
			if m = mu*m - rate*g; nesterov {
				return w + mu*m - rate*g
			}
			return w + m
		})
		b := 0.0
		expect(t, steps(t, o, convention.PyTorch, 8), func(_ int, w, g float64) float64 {
			if b = mu*b + g; nesterov {
				return w - rate*(g+mu*b)
			}
			return w - rate*b
		})
	}
}

func TestAdam(t *testing.T) {
	const b1, b2, rate, eps = 0.9, 0.999, 0.01, 0.1 // a large epsilon tells the two forms apart
	var last [2]float64
	for i, c := range []convention.Convention{convention.Keras, convention.PyTorch} {
		m, v := 0.0, 0.0
		got := steps(t, optimizer.Adam{LearningRate: rate, Epsilon: eps}, c, 8)
		expect(t, got, func(step int, w, g float64) float64 {
			m, v = b1*m+(1-b1)*g, b2*v+(1-b2)*g*g
			c1, c2 := 1-math.Pow(b1, float64(step)), 1-math.Pow(b2, float64(step))
			if c == convention.Keras {
				return w - rate*math.Sqrt(c2)/c1*m/(math.Sqrt(v)+eps)
			}
			return w - rate/c1*m/(math.Sqrt(v)/math.Sqrt(c2)+eps)
		})
		last[i] = got[7]
	}
	require.Greater(t, math.Abs(last[0]-last[1]), 1e-4)
}

// A literal's own convention wins over the model's.
func TestConvention(t *testing.T) {
	own := steps(t, optimizer.SGD{Convention: convention.PyTorch}, convention.Keras, 3)
	require.Equal(t, steps(t, optimizer.SGD{}, convention.PyTorch, 3), own)
}

func TestDescribe(t *testing.T) {
	require.Equal(t, "sgd(learning_rate=0.01, momentum=0, nesterov=false, convention=keras)", optimizer.SGD{}.Describe(convention.Keras))
	require.Equal(t, "adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08, convention=pytorch)",
		optimizer.Adam{}.Describe(convention.PyTorch))
	require.Equal(t, "adam(learning_rate=0.5, beta_1=0, beta_2=0.999, epsilon=1e-07, convention=keras)",
		optimizer.Adam{LearningRate: 0.5, Beta1: optimizer.Zero}.Describe(convention.Inherit))
	require.Equal(t, 0.001, optimizer.Adam{}.Rate(convention.Keras))
	require.Zero(t, optimizer.SGD{LearningRate: optimizer.Zero}.Rate(convention.Keras))
}
