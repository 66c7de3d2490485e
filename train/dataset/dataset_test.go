package dataset_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/stretchr/testify/require"
)

func tensor[T onnx.Number](t testing.TB, v []T, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.NewTensor(v, shape...)
	require.NoError(t, err)
	return x
}

// numbers is n rows [i, -i] with the target i.
func numbers(t testing.TB, n int) dataset.Dataset {
	t.Helper()
	x, y := make([]float32, 2*n), make([]int64, n)
	for i := range n {
		x[2*i], x[2*i+1], y[i] = float32(i), float32(-i), int64(i)
	}
	return dataset.Pair(tensor(t, x, n, 2), tensor(t, y, n))
}

func TestPair(t *testing.T) {
	d := numbers(t, 5)
	require.Equal(t, 5, d.Len())
	var b dataset.Batch
	require.NoError(t, d.Read(&b, []int{4, 0, 4}))
	require.Equal(t, 3, b.Rows())
	require.Equal(t, []float32{4, -4, 0, 0, 4, -4}, onnx.Data[float32](b.Inputs[0]))
	require.Equal(t, []int64{4, 0, 4}, onnx.Data[int64](b.Targets[0]))

	kept := b.Inputs[0]
	require.NoError(t, d.Read(&b, []int{1, 2, 3}))
	require.Same(t, kept, b.Inputs[0], "tensors of the right shape are used again")
	require.NoError(t, d.Read(&b, []int{1}))
	require.Equal(t, 1, b.Rows())
	require.NoError(t, d.Read(&b, nil))
	require.Zero(t, b.Rows())

	alone := dataset.Pair(tensor(t, []float32{1, 2}, 2), nil)
	require.NoError(t, alone.Read(&b, []int{0}))
	require.Empty(t, b.Targets)
}

func TestPair_errors(t *testing.T) {
	var b dataset.Batch
	d := numbers(t, 5)
	require.ErrorIs(t, d.Read(&b, []int{5}), onnx.ErrInvalid)
	require.ErrorIs(t, d.Read(&b, []int{-1}), onnx.ErrInvalid)
	uneven := dataset.Pair(tensor(t, []float32{1, 2}, 2), tensor(t, []float32{1}, 1))
	require.ErrorIs(t, uneven.Read(&b, []int{0}), onnx.ErrInvalid)
	scalar := dataset.Pair(onnx.Scalar[float32](1), nil)
	require.Zero(t, scalar.Len())
	require.ErrorIs(t, scalar.Read(&b, nil), onnx.ErrInvalid)
	text, err := onnx.Strings([]string{"a"}, 1)
	require.NoError(t, err)
	require.ErrorIs(t, dataset.Pair(text, nil).Read(&b, []int{0}), errors.ErrUnsupported)
	require.Zero(t, dataset.Tensors(nil, nil).Len())
	require.Zero(t, (&dataset.Batch{}).Rows())
}

func TestTensors(t *testing.T) {
	d := dataset.Tensors([]*onnx.Tensor{tensor(t, []float32{1, 2}, 2), tensor(t, []int64{3, 4}, 2)}, []*onnx.Tensor{tensor(t, []bool{true, false}, 2)})
	var b dataset.Batch
	require.NoError(t, d.Read(&b, []int{1}))
	require.Equal(t, []float32{2}, onnx.Data[float32](b.Inputs[0]))
	require.Equal(t, []int64{4}, onnx.Data[int64](b.Inputs[1]))
	require.Equal(t, []bool{false}, onnx.Data[bool](b.Targets[0]))
}

func TestSlice(t *testing.T) {
	d := dataset.Slice(numbers(t, 10), 3, 7)
	require.Equal(t, 4, d.Len())
	var b dataset.Batch
	require.NoError(t, d.Read(&b, []int{0, 3}))
	require.Equal(t, []int64{3, 6}, onnx.Data[int64](b.Targets[0]))
	require.Zero(t, dataset.Slice(d, 5, 2).Len())
}

func TestMap(t *testing.T) {
	d := dataset.Map(numbers(t, 4), func(b *dataset.Batch) error {
		v := onnx.View[int64](b.Targets[0].Mutable())
		for i := range v {
			v[i] *= 10
		}
		return nil
	})
	require.Equal(t, 4, d.Len())
	var b dataset.Batch
	for range 2 { // what f changes is a copy
		require.NoError(t, d.Read(&b, []int{1, 2}))
		require.Equal(t, []int64{10, 20}, onnx.Data[int64](b.Targets[0]))
	}
	broken := errors.New("broken")
	require.ErrorIs(t, dataset.Map(d, func(*dataset.Batch) error { return broken }).Read(&b, []int{0}), broken)
	require.ErrorIs(t, dataset.Map(d, nil).Read(&b, []int{9}), onnx.ErrInvalid)
}

func TestOrder(t *testing.T) {
	require.Equal(t, []int{0, 1, 2, 3}, dataset.Order(4, false, 1, 0))
	a := dataset.Order(100, true, 1, 0)
	require.Equal(t, a, dataset.Order(100, true, 1, 0))
	require.NotEqual(t, a, dataset.Order(100, true, 1, 1))
	require.NotEqual(t, a, dataset.Order(100, true, 2, 0))
	sorted := slices.Sorted(slices.Values(a))
	require.Equal(t, dataset.Order(100, false, 0, 0), sorted, "a permutation")
	require.Empty(t, dataset.Order(0, true, 1, 0))
}

// targets reads the class numbers of every batch.
func targets(t *testing.T, d dataset.Dataset, order []int, size, from int) (all [][]int64) {
	t.Helper()
	for b, err := range dataset.Batches(d, order, size, from) {
		require.NoError(t, err)
		all = append(all, slices.Clone(onnx.Data[int64](b.Targets[0])))
	}
	return all
}

func TestBatches(t *testing.T) {
	d := numbers(t, 7)
	require.Equal(t, [][]int64{{0, 1, 2}, {3, 4, 5}, {6}}, targets(t, d, dataset.Order(7, false, 0, 0), 3, 0))
	require.Equal(t, [][]int64{{6}}, targets(t, d, dataset.Order(7, false, 0, 0), 3, 2), "resumed in the middle")
	require.Empty(t, targets(t, d, dataset.Order(7, false, 0, 0), 3, 3))
	require.Equal(t, [][]int64{{5, 1}, {3}}, targets(t, d, []int{5, 1, 3}, 2, 0))
	require.Empty(t, targets(t, d, nil, 2, 0))
}

// flaky fails or panics at a row.
type flaky struct {
	dataset.Dataset
	at    int
	cause any
}

func (f flaky) Read(b *dataset.Batch, rows []int) error {
	if slices.Contains(rows, f.at) {
		if err, ok := f.cause.(error); ok {
			return err
		}
		panic(f.cause)
	}
	return f.Dataset.Read(b, rows)
}

// An error ends the iteration after the batches before it; a panic of a user's data set is one.
func TestBatches_errors(t *testing.T) {
	broken := errors.New("broken")
	for _, cause := range []any{broken, "panicked"} {
		n := 0
		var last error
		for _, err := range dataset.Batches(flaky{numbers(t, 10), 4, cause}, dataset.Order(10, false, 0, 0), 2, 0) {
			if last = err; err == nil {
				n++
			}
		}
		require.Equal(t, 2, n)
		require.ErrorContains(t, last, fmt.Sprint(cause))
		if err, ok := cause.(error); ok {
			require.ErrorIs(t, last, err)
		} else {
			require.ErrorIs(t, last, onnx.ErrInternal)
		}
	}
}

// Leaving the loop ends the reading goroutine, wherever the loop is left.
func TestBatches_leave(t *testing.T) {
	before := runtime.NumGoroutine()
	d := numbers(t, 100)
	for stop := range 10 {
		i := 0
		for _, err := range dataset.Batches(d, dataset.Order(100, true, 1, 0), 10, 0) {
			require.NoError(t, err)
			if i++; i > stop {
				break
			}
		}
	}
	require.Panics(t, func() {
		for range dataset.Batches(d, dataset.Order(100, true, 1, 0), 10, 0) {
			panic("the caller's")
		}
	})
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		if runtime.NumGoroutine() <= before {
			return
		}
	}
	t.Fatalf("%d goroutines are left of %d", runtime.NumGoroutine(), before)
}
