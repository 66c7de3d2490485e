package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/arrayfile"
	"github.com/gneiss-ml/gneiss/internal/atomicfile"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// files writes a model that adds 1, its input and the path of its outputs.
func files(t *testing.T) (model, in, out string) {
	t.Helper()
	dir := t.TempDir()
	m, err := onnx.ParseText(`<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) <float[2] w = {1, 1}> { y = Add(x, w) }`)
	require.NoError(t, err)
	model, in, out = filepath.Join(dir, "m.onnx"), filepath.Join(dir, "in.npz"), filepath.Join(dir, "out.npz")
	require.NoError(t, m.WriteFile(model))
	x, err := onnx.NewTensor([]float32{1, 2}, 2)
	require.NoError(t, err)
	require.NoError(t, atomicfile.Write(in, func(w io.Writer) error {
		return arrayfile.WriteNPZ(w, map[string]*onnx.Tensor{"x": x})
	}))
	return model, in, out
}

func TestServe(t *testing.T) {
	model, in, out := files(t)
	var answers bytes.Buffer
	require.NoError(t, serve(model, "1", in, out, strings.NewReader("go\ntime 1\nopen\n"), &answers))
	lines := strings.Split(strings.TrimSpace(answers.String()), "\n")
	require.Len(t, lines, 4)
	require.Equal(t, "{}", lines[0])
	var first, again opened
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &first))
	require.Positive(t, first.Open)
	require.Positive(t, first.First)
	var times timed
	require.NoError(t, json.Unmarshal([]byte(lines[2]), &times))
	require.GreaterOrEqual(t, len(times.Times), 3)
	require.IsNonDecreasing(t, times.Times)
	require.NoError(t, json.Unmarshal([]byte(lines[3]), &again))
	require.Positive(t, again.Open)

	raw, err := os.ReadFile(out)
	require.NoError(t, err)
	got, err := arrayfile.ReadNPZ(bytes.NewReader(raw), int64(len(raw)), 0)
	require.NoError(t, err)
	require.Equal(t, []float32{2, 3}, onnx.Data[float32](got["y"]))
}

func TestServeRefuses(t *testing.T) {
	model, in, out := files(t)
	for _, c := range []struct{ model, threads, in, requests, want string }{
		{model, "0", in, "go\n", "number of threads"},
		{model, "1", in, "go\nstop\n", "expected open or time MS"},
		{model, "1", in, "go\ntime x\n", "expected open or time MS"},
		{model + "x", "1", in, "go\n", "m.onnxx"},
		{model, "1", in + "x", "go\n", "in.npzx"},
	} {
		require.ErrorContains(t, serve(c.model, c.threads, c.in, out, strings.NewReader(c.requests), io.Discard), c.want)
	}
	require.NoError(t, serve(model, "1", in, out, strings.NewReader(""), io.Discard), "a driver that left")
}

// TestTrainFile trains a linear classifier.
func TestTrainFile(t *testing.T) {
	m, err := onnx.ParseText(`<ir_version: 8, opset_import: ["" : 17]>
		g (float[N,1,2,2] x) => (float[N,3] y) <float[4,3] w = {1,2,3,4,5,6,7,8,9,10,11,12}> { f = Flatten(x) y = MatMul(f, w) }`)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, m.WriteFile(path))
	var answer bytes.Buffer
	require.NoError(t, trainFile(path, 1, 4, []int{6, 1, 2, 2}, 3, &answer))
	var got trained
	require.NoError(t, json.Unmarshal(answer.Bytes(), &got))
	require.Equal(t, 6, got.Batch)
	require.Positive(t, got.ImagesPerSecond)
	require.Error(t, command([]string{"train", path, "0", "4", "6,1,2,2", "3"}))
	require.Error(t, command([]string{"train"}))
}

// TestGrow decodes with a model that only remembers.
func TestGrow(t *testing.T) {
	m, err := onnx.ParseText(`<ir_version: 8, opset_import: ["" : 17]>
		g (float[1,1,1] x, float[1,1,past] past0) => (float[1,1,1] y, float[1,1,all] present0) { present0 = Concat<axis = 2>(past0, x) y = Identity(x) }`)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, m.WriteFile(path))
	var answer bytes.Buffer
	require.NoError(t, grow(path, 1, 3, &answer))
	var got grown
	require.NoError(t, json.Unmarshal(answer.Bytes(), &got))
	require.Equal(t, 3, got.Tokens)
	require.Positive(t, got.Ratio)
}
