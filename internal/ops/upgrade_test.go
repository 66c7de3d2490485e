package ops_test

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func TestUpgrade_broadcast(t *testing.T) {
	a := tensor(t, []float32{0, 1, 2, 3, 4, 5, 6, 7}, 2, 2, 2)
	b := onnx.Vector[float32](10, 20)
	on := onnx.Int("broadcast", 1)
	for axis, want := range map[int64][]float32{
		0: {10, 11, 12, 13, 24, 25, 26, 27},
		1: {10, 11, 22, 23, 14, 15, 26, 27},
		2: {10, 21, 12, 23, 14, 25, 16, 27},
	} {
		require.Equal(t, want, onnx.Data[float32](old(t, 6, "Add", tensors{a, b}, on, onnx.Int("axis", axis))))
	}
	require.Equal(t, []float32{10, 21, 12, 23, 14, 25, 16, 27}, onnx.Data[float32](old(t, 6, "Add", tensors{a, b}, on)))
	greater := onnx.Data[bool](old(t, 1, "Greater", tensors{a, onnx.Vector[float32](3, 5)}, on, onnx.Int("axis", 0)))
	require.Equal(t, []bool{false, false, false, false, false, false, true, true}, greater)
}

func TestUpgrade_softmax(t *testing.T) {
	x := random[float32](t, 3, -1, 1, 2, 3, 4)
	y := onnx.Data[float32](old(t, 11, "Softmax", tensors{x}))
	for row := range 2 {
		sum := float32(0)
		for _, v := range y[row*12 : (row+1)*12] {
			sum += v
		}
		require.InDelta(t, 1, sum, 1e-6)
	}
	last := old(t, 11, "Softmax", tensors{x}, onnx.Int("axis", 2))
	require.Equal(t, eval(t, "Softmax", tensors{x}).Bytes(), last.Bytes())
	hard := onnx.Data[float32](old(t, 9, "Hardmax", tensors{tensor(t, []float32{1, 3, 2, 3}, 2, 2)}, onnx.Int("axis", 0)))
	require.Equal(t, []float32{0, 1, 0, 0}, hard)
}

func TestUpgrade_reduce(t *testing.T) {
	x := tensor(t, []float32{1, 2, 3, 4}, 2, 2)
	require.Equal(t, []float32{4, 6}, onnx.Data[float32](old(t, 12, "ReduceSum", tensors{x}, onnx.Ints("axes", 0))))
	require.Equal(t, []float32{10}, onnx.Data[float32](old(t, 12, "ReduceSum", tensors{x})))
	require.Equal(t, []float32{2, 4}, onnx.Data[float32](old(t, 17, "ReduceMax", tensors{x}, onnx.Ints("axes", 1))))
	require.Equal(t, []float32{1.5, 3.5}, onnx.Data[float32](old(t, 1, "ReduceMean", tensors{x}, onnx.Ints("axes", 1))))
}

func TestUpgrade_clip(t *testing.T) {
	x := onnx.Vector(-5, 0.5, inf)
	lo, hi := onnx.Float("min", -1), onnx.Float("max", 1)
	require.Equal(t, []float32{-1, 0.5, 1}, onnx.Data[float32](old(t, 6, "Clip", tensors{x}, lo, hi)))
	require.Equal(t, []float32{-5, 0.5, 1}, onnx.Data[float32](old(t, 10, "Clip", tensors{x}, hi)))
	require.Equal(t, []float32{-1, 0.5, math.MaxFloat32}, onnx.Data[float32](old(t, 10, "Clip", tensors{x}, lo)))
	require.Equal(t, []float32{-1, 0.5, inf}, onnx.Data[float32](old(t, 1, "Clip", tensors{x}, lo)))
}

func TestUpgrade_others(t *testing.T) {
	x := tensor(t, []float32{-1, -1, -1, -1, -1, -1, -1, -1}, 1, 2, 2, 2)
	slope := onnx.Vector[float32](0.5, 2)
	require.Equal(t, []float32{-0.5, -0.5, -0.5, -0.5, -2, -2, -2, -2}, onnx.Data[float32](old(t, 6, "PRelu", tensors{x, slope})))
	one := onnx.Data[float32](old(t, 1, "Selu", tensors{onnx.Vector[float32](-1)}))[0]
	require.InDelta(t, 1.0507*1.6732*math.Expm1(-1), one, 1e-6)
	require.Equal(t, []float32{0, 2}, onnx.Data[float32](old(t, 1, "Relu", tensors{onnx.Vector[float32](-1, 2)}, onnx.Ints("consumed_inputs", 0))))
}
