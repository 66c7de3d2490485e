package dialect

import (
	"context"
	"testing"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// tensors are inputs or outputs by name.
type tensors = map[string]*onnx.Tensor

// engines are run on every model: the answers must not depend on them.
var engines = map[string]runtime.Options{
	"plain": {Engine: runtime.Plain},
	"exact": {Level: runtime.Exact},
	"fast":  {},
}

// parse reads a model in text syntax and sends it through the binary form, as a file would come.
func parse(t *testing.T, text string) *onnx.Model {
	t.Helper()
	m, err := onnx.ParseText(text)
	require.NoError(t, err)
	return reread(t, m)
}

func reread(t *testing.T, m *onnx.Model) *onnx.Model {
	t.Helper()
	b, err := m.Encode()
	require.NoError(t, err)
	m, err = onnx.Decode(b)
	require.NoError(t, err)
	return m
}

// gives runs m on every engine and holds the results against want.
func gives(t *testing.T, m *onnx.Model, in, want tensors) {
	t.Helper()
	for name, o := range engines {
		s, err := runtime.New(m, o)
		require.NoError(t, err, name)
		got, err := s.Run(context.Background(), in)
		require.NoError(t, err, name)
		require.NoError(t, s.Close())
		same(t, name, got, want)
	}
}

func same(t *testing.T, engine string, got, want tensors) {
	t.Helper()
	require.Len(t, got, len(want), engine)
	for name, w := range want {
		require.NotNil(t, got[name], "%s: %s", engine, name)
		row := compare.Tensors(got[name], w, compare.Torch)
		require.True(t, row.Verdict.OK(), "%s: %v\ngot %v, want %v", engine, row, got[name], w)
	}
}

func f32(v ...float32) *onnx.Tensor { return onnx.Vector(v...) }
func i64(v ...int64) *onnx.Tensor   { return onnx.Vector(v...) }

func shaped[T onnx.Number](t *testing.T, shape []int, v ...T) *onnx.Tensor {
	t.Helper()
	x, err := onnx.NewTensor(v, shape...)
	require.NoError(t, err)
	return x
}
