package loss_test

import (
	"context"
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/layer"
	"github.com/gneiss-ml/gneiss/train/loss"
	"github.com/stretchr/testify/require"
)

// evaluate builds l on inputs of the types of y and t, behind activation a, and runs it.
func evaluate(l loss.Loss, a layer.Activation, y, t *onnx.Tensor) (float64, error) {
	b := layer.NewBuilder("loss", convention.Keras)
	dims := func(shape []int) (ds []any) {
		for _, d := range shape {
			ds = append(ds, d)
		}
		return ds
	}
	vy, vt := b.Input("y", y.Elem, dims(y.Shape)...), b.Input("t", t.Elem, dims(t.Shape)...)
	out := l.Build(b, a.Build(b, vy), vt)
	if b.Err() != nil {
		return 0, b.Err()
	}
	out.Name, b.Graph.Outputs = "loss", []*onnx.Value{out}
	s, err := runtime.New(onnx.NewModel(b.Graph), runtime.Options{Engine: runtime.Plain})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	got, err := s.Run(context.Background(), map[string]*onnx.Tensor{"y": y, "t": t})
	if err != nil {
		return 0, err
	}
	return float64(onnx.Data[float32](got["loss"])[0]), nil
}

func tensor[T onnx.Number](t testing.TB, v []T, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.NewTensor(v, shape...)
	require.NoError(t, err)
	return x
}

func near(t *testing.T, want float64, l loss.Loss, a layer.Activation, y, target *onnx.Tensor) {
	t.Helper()
	got, err := evaluate(l, a, y, target)
	require.NoError(t, err)
	require.InEpsilon(t, want, got, 2e-6)
}

func TestCategoricalCrossEntropy(t *testing.T) {
	p := tensor(t, []float32{.7, .2, .1, .1, .3, .6}, 2, 3)
	hot := tensor(t, []float32{1, 0, 0, 0, .5, .5}, 2, 3)
	want := -(math.Log(.7) + .5*math.Log(.3) + .5*math.Log(.6)) / 2
	near(t, want, loss.CategoricalCrossEntropy{}, layer.Linear, p, hot)
	near(t, want, loss.CategoricalCrossEntropy{ClipProbabilities: true}, layer.Linear, p, hot)

	// Probabilities are divided by their sum, as Keras does.
	near(t, want, loss.CategoricalCrossEntropy{}, layer.Linear, tensor(t, []float32{7, 2, 1, 1, 3, 6}, 2, 3), hot)

	z := tensor(t, []float32{1, 2, 3, 0, -1, 1}, 2, 3)
	lse := func(v ...float64) float64 {
		s := 0.0
		for _, x := range v {
			s += math.Exp(x)
		}
		return math.Log(s)
	}
	a, b := lse(1, 2, 3), lse(0, -1, 1)
	want = -((1 - a) + .5*(-1-b) + .5*(1-b)) / 2
	near(t, want, loss.CategoricalCrossEntropy{FromLogits: true}, layer.Linear, z, hot)
	near(t, want, loss.CategoricalCrossEntropy{}, layer.Softmax, z, hot)
	near(t, want, loss.CategoricalCrossEntropy{ClipProbabilities: true}, layer.Softmax, z, hot)

	smooth := -((1-.1)*(1-a+.5*(-1-b)+.5*(1-b)) + .1/3*(6-3*a+0-3*b)) / 2
	near(t, smooth, loss.CategoricalCrossEntropy{FromLogits: true, LabelSmoothing: .1}, layer.Linear, z, hot)
}

// Behind a softmax a very small probability has its exact logarithm; clipped it has that of 1e-7.
func TestCategoricalCrossEntropy_small(t *testing.T) {
	z, hot := tensor(t, []float32{0, 50}, 1, 2), tensor(t, []float32{1, 0}, 1, 2)
	near(t, 50, loss.CategoricalCrossEntropy{}, layer.Softmax, z, hot)
	near(t, -math.Log(1e-7), loss.CategoricalCrossEntropy{ClipProbabilities: true}, layer.Softmax, z, hot)
	near(t, 50, loss.SparseCategoricalCrossEntropy{}, layer.Softmax, z, onnx.Vector[int64](0))
	near(t, -math.Log(1e-7), loss.SparseCategoricalCrossEntropy{ClipProbabilities: true}, layer.Softmax, z, onnx.Vector[int64](0))
}

func TestSparseCategoricalCrossEntropy(t *testing.T) {
	p := tensor(t, []float32{.7, .2, .1, .1, .3, .6}, 2, 3)
	near(t, -(math.Log(.7)+math.Log(.6))/2, loss.SparseCategoricalCrossEntropy{}, layer.Linear, p, onnx.Vector[int64](0, 2))
	z := tensor(t, []float32{1, 1, 1, 1}, 2, 2)
	near(t, math.Ln2, loss.SparseCategoricalCrossEntropy{FromLogits: true}, layer.Linear, z, onnx.Vector[int64](0, 1))
	_, err := evaluate(loss.SparseCategoricalCrossEntropy{}, layer.Linear, onnx.Vector[float32](1, 2), onnx.Vector[int64](0, 1))
	require.ErrorIs(t, err, onnx.ErrInvalid)
	_, err = evaluate(loss.SparseCategoricalCrossEntropy{}, layer.Linear, p, onnx.Vector[int64](0, 3))
	require.Error(t, err, "a class out of range")
}

func TestMeanSquaredError(t *testing.T) {
	near(t, (1+4+0+9)/4.0, loss.MeanSquaredError{}, layer.Linear, tensor(t, []float32{1, 2, 3, 4}, 2, 2), tensor(t, []float32{2, 0, 3, 1}, 2, 2))
	_, err := evaluate(loss.MeanSquaredError{}, layer.Linear, onnx.Vector[float32](1, 2), onnx.Vector[float32](1, 2, 3))
	require.Error(t, err)
}

func TestTarget(t *testing.T) {
	y := onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(3))
	require.True(t, y.Equal(loss.CategoricalCrossEntropy{}.Target(y)))
	require.True(t, y.Equal(loss.MeanSquaredError{}.Target(y)))
	require.Equal(t, "int64[N]", loss.SparseCategoricalCrossEntropy{}.Target(y).String())
	require.False(t, loss.SparseCategoricalCrossEntropy{}.Target(onnx.TensorOf(onnx.Float32)).Ranked)
}
