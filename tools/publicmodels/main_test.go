package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/arrayfile"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// write puts a model that adds up its inputs into dir, with a stream of three steps and the answers want and twin.
func write(t *testing.T, dir, options string, want, twin []float32) {
	t.Helper()
	m, err := onnx.ParseText(`<ir_version: 8, opset_import: ["" : 17]>
		g (float[1] x, float[1] s) => (float[1] y, float[1] t) { t = Add(x, s)  y = Identity(t) }`)
	require.NoError(t, err)
	model := filepath.Join(dir, "model.onnx")
	require.NoError(t, m.WriteFile(model))
	column := func(v []float32) *onnx.Tensor {
		c, err := onnx.NewTensor(v, len(v), 1)
		require.NoError(t, err)
		return c
	}
	for name, arrays := range map[string]tensors{
		"in":   {"x": column([]float32{1, 2, 3}), "s": onnx.Vector[float32](10)},
		"out":  {"y": column(want), "t": column(want)},
		"twin": {"y": column(twin), "t": column(twin)},
	} {
		f, err := os.Create(filepath.Join(dir, name+".npz"))
		require.NoError(t, err)
		require.NoError(t, arrayfile.WriteNPZ(f, arrays))
		require.NoError(t, f.Close())
	}
	text := `{"onnxruntime": "0", "cases": [{"name": "sum", "model": "` + filepath.ToSlash(model) + `", "state": {"t": "s"},
		"sets": [{"in": "in.npz", "out": "out.npz", "twin": "twin.npz"}], ` + options + `}]}`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cases.json"), []byte(text), 0o600))
}

func TestRun(t *testing.T) {
	exact := []float32{11, 13, 16}
	for name, c := range map[string]struct {
		options string
		want    []float32
		ok      bool
	}{
		"equal":               {`"profile": "torch", "k": 2`, exact, true},
		"outside":             {`"profile": "torch", "k": 2`, []float32{11, 13, 17}, true}, // the twin says that we are right
		"outside, no profile": {`"profile": "none", "k": 2`, exact, false},
	} {
		dir := t.TempDir()
		write(t, dir, c.options, c.want, exact)
		ok, err := run(dir)
		require.NoError(t, err, name)
		require.Equal(t, c.ok, ok, name)
	}
	dir := t.TempDir()
	write(t, dir, `"profile": "torch", "k": 2`, []float32{11, 13, 17}, []float32{11, 13, 17})
	ok, err := run(dir)
	require.NoError(t, err)
	require.False(t, ok, "both say that we are wrong")
	_, err = run(t.TempDir())
	require.Error(t, err)
}

func TestErrors(t *testing.T) {
	e := &errors{}
	e.add(1e-3, 1e-3, 1)
	e.add(-3e-3, 1e-3, 1)
	require.InDelta(t, 2.236, e.ratio(), 1e-3)
	require.False(t, e.within(2))
	require.True(t, e.within(3))
}
