package metric_test

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/metric"
	"github.com/stretchr/testify/require"
)

func tensor[T onnx.Number](t testing.TB, v []T, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.NewTensor(v, shape...)
	require.NoError(t, err)
	return x
}

func typed(e onnx.ElemType, dims ...any) onnx.Type {
	ds := []onnx.Dim{}
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			ds = append(ds, onnx.Fixed(d))
		case string:
			ds = append(ds, onnx.Named(d))
		}
	}
	return onnx.TensorOf(e, ds...)
}

func accuracy(t *testing.T, y, target onnx.Type) metric.Accumulator {
	t.Helper()
	require.Equal(t, "accuracy", metric.Accuracy{}.Name())
	a, err := metric.Accuracy{}.New(y, target)
	require.NoError(t, err)
	return a
}

func TestAccuracy_categorical(t *testing.T) {
	a := accuracy(t, typed(onnx.Float32, "N", 3), typed(onnx.Float32, "N", 3))
	require.Zero(t, a.Value())
	// The second row's target is a distribution; the third row's tie goes to the lowest place.
	require.NoError(t, a.Add(tensor(t, []float32{.1, .8, .1, .5, .3, .2, .4, .4, .2}, 3, 3), tensor(t, []float32{0, 1, 0, .2, .5, .3, 1, 0, 0}, 3, 3)))
	require.InDelta(t, 2.0/3, a.Value(), 1e-15)
	require.NoError(t, a.Add(tensor(t, []float32{1, 0, 0}, 1, 3), tensor(t, []float32{1, 0, 0}, 1, 3)))
	require.Equal(t, 0.75, a.Value(), "counts, not means of means")
	a.Reset()
	require.Zero(t, a.Value())
}

func TestAccuracy_sparse(t *testing.T) {
	y := tensor(t, []float64{.1, .9, .9, .1}, 2, 2)
	for _, target := range []*onnx.Tensor{
		tensor(t, []int64{1, 1}, 2), tensor(t, []int32{1, 1}, 2), tensor(t, []uint8{1, 1}, 2), tensor(t, []int64{1, 1}, 2, 1),
	} {
		a := accuracy(t, y.Type(), target.Type())
		require.NoError(t, a.Add(y, target))
		require.Equal(t, 0.5, a.Value())
	}
}

func TestAccuracy_binary(t *testing.T) {
	a := accuracy(t, typed(onnx.Float32, "N", 1), typed(onnx.Float32, "N", 1))
	require.NoError(t, a.Add(tensor(t, []float32{.6, .5, .2, .9}, 4, 1), tensor(t, []float32{1, 0, 1, 1}, 4, 1)))
	require.Equal(t, 0.75, a.Value())
	nan := float32(math.NaN())
	a.Reset()
	require.NoError(t, a.Add(tensor(t, []float32{nan}, 1, 1), tensor(t, []float32{1}, 1, 1)))
	require.Zero(t, a.Value())
}

func TestAccuracy_errors(t *testing.T) {
	_, err := metric.Accuracy{}.New(onnx.Unranked(onnx.Float32), typed(onnx.Float32, 2))
	require.ErrorIs(t, err, onnx.ErrInvalid)
	_, err = metric.Accuracy{}.New(typed(onnx.Float32, 2), onnx.Unranked(onnx.Float32))
	require.ErrorIs(t, err, onnx.ErrInvalid)
	_, err = metric.Accuracy{}.New(typed(onnx.Float32), typed(onnx.Float32))
	require.ErrorIs(t, err, onnx.ErrInvalid)

	y := tensor(t, []float32{1, 0}, 1, 2)
	a := accuracy(t, y.Type(), y.Type())
	require.ErrorIs(t, a.Add(y, tensor(t, []float32{1, 0, 1}, 1, 3)), onnx.ErrInvalid)
	require.ErrorIs(t, a.Add(y, tensor(t, []bool{true, false}, 1, 2)), onnx.ErrInvalid)
	require.ErrorIs(t, a.Add(tensor(t, []bool{true, false}, 1, 2), y), onnx.ErrInvalid)
	require.ErrorIs(t, a.Add(onnx.Scalar[float32](1), y), onnx.ErrInvalid)
	s := accuracy(t, y.Type(), typed(onnx.Int64, 1))
	require.ErrorIs(t, s.Add(y, tensor(t, []int64{1, 0}, 2)), onnx.ErrInvalid)
	require.NoError(t, a.Add(tensor(t, []float32{}, 1, 0), tensor(t, []float32{}, 1, 0)))
	require.Zero(t, a.Value())
}

// Without a target of rank one of a model's scalar output has no last axis to look at.
func TestAccuracy_scalarTarget(t *testing.T) {
	a := accuracy(t, typed(onnx.Float32, 2), typed(onnx.Int64))
	require.NoError(t, a.Add(tensor(t, []float32{1, 0}, 2), onnx.Scalar[int64](0)))
	require.Equal(t, 1.0, a.Value())
}
