package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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

const models = "../../testdata/models/"

// cli runs one command line and gives its status and what it wrote.
func cli(args ...string) (status int, out, errs string) {
	var o, e bytes.Buffer
	status = run(args, &o, &e)
	return status, o.String(), e.String()
}

// answers runs a command line that must end with the given status and without a message, and gives what it wrote.
func answers(t *testing.T, status int, args ...string) string {
	t.Helper()
	got, out, errs := cli(args...)
	require.Equal(t, status, got, "%v: %s%s", args, out, errs)
	require.Empty(t, errs, "%v", args)
	return out
}

// refuses runs a command line that must end with status 2, without results and with one line that has all of parts.
func refuses(t *testing.T, args []string, parts ...string) {
	t.Helper()
	status, out, errs := cli(args...)
	require.Equal(t, unanswered, status, "%v: %s%s", args, out, errs)
	require.Empty(t, out, "%v", args)
	oneMessage(t, errs)
	for _, p := range parts {
		require.Contains(t, errs, p, "%v", args)
	}
}

func oneMessage(t *testing.T, errs string) {
	t.Helper()
	require.True(t, strings.HasPrefix(errs, "gneiss: "), "%q", errs)
	require.True(t, strings.HasSuffix(errs, "\n"), "%q", errs)
	require.Equal(t, 1, strings.Count(errs, "\n"), "%q", errs)
}

// lines reads JSON objects, one a line.
func lines(t *testing.T, out string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for l := range strings.SplitSeq(strings.TrimSuffix(out, "\n"), "\n") {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(l), &m), l)
		all = append(all, m)
	}
	return all
}

func object(t *testing.T, out string) map[string]any {
	t.Helper()
	all := lines(t, out)
	require.Len(t, all, 1)
	return all[0]
}

// save writes the model of a text to a new folder and gives its path.
func save(t *testing.T, text string) string {
	t.Helper()
	return saveIn(t, t.TempDir(), text)
}

func saveIn(t *testing.T, dir, text string) string {
	t.Helper()
	m, err := onnx.ParseText(`<ir_version: 8, opset_import: ["" : 17]> ` + text)
	require.NoError(t, err)
	path := filepath.Join(dir, "model.onnx")
	require.NoError(t, m.WriteFile(path))
	return path
}

const sumText = `sum (float[N,3] x) => (float[N,3] y) <float[3] w = {1, 2, 3}> { h = Add(x, w) y = Relu(h) }`

func sum(t *testing.T) string { return save(t, sumText) }

func vector(t *testing.T, v []float32, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.NewTensor(v, shape...)
	require.NoError(t, err)
	return x
}

// npy writes x to a new folder.
func npy(t *testing.T, x *onnx.Tensor) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.npy")
	require.NoError(t, atomicfile.Write(path, func(w io.Writer) error { return arrayfile.WriteNPY(w, x) }))
	return path
}

func npz(t *testing.T, arrays map[string]*onnx.Tensor) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "arrays.npz")
	require.NoError(t, atomicfile.Write(path, func(w io.Writer) error { return arrayfile.WriteNPZ(w, arrays) }))
	return path
}

func pb(t *testing.T, path string, x *onnx.Tensor) {
	t.Helper()
	b, err := onnx.EncodeTensor(x)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(t, os.WriteFile(path, b, 0o666))
}

func readNPZ(t *testing.T, path string) map[string]*onnx.Tensor {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	arrays, err := arrayfile.ReadNPZ(bytes.NewReader(b), int64(len(b)), 0)
	require.NoError(t, err)
	return arrays
}

var verbs = []string{"train mnist", "run", "predict", "inspect", "check", "test", "compare", "bench", "version"}

func TestHelp(t *testing.T) {
	for _, v := range append(verbs, "", "train") {
		out := answers(t, yes, append(strings.Fields(v), "--help")...)
		require.Contains(t, out, "Examples:\n  gneiss "+v, v)
	}
}

func TestUsage(t *testing.T) {
	refuses(t, []string{"nonsense"}, `"nonsense"`)
	refuses(t, []string{"train", "nonsense"}, `"nonsense"`)
	refuses(t, []string{"train"}, "gneiss train mnist")
	for _, v := range verbs {
		refuses(t, append(strings.Fields(v), "--nonsense"), "--nonsense")
	}
	for _, v := range []string{"run", "predict", "inspect", "check", "test", "compare", "bench"} {
		refuses(t, []string{v}, "arg")
	}
	refuses(t, []string{"version", "x"})
}

// Every verb that opens a model takes the flags of limits and refuses senseless ones.
func TestLimitFlags(t *testing.T) {
	m := sum(t)
	for _, v := range []string{"run", "bench"} {
		base := []string{v, m, "--shape", "x=2x3"}
		refuses(t, append(base, "--memory", "lots"), "--memory", "lots")
		refuses(t, append(base, "--memory", "0"), "--memory")
		refuses(t, append(base, "--max-nodes", "-1"), "--max-nodes")
		refuses(t, append(base, "--max-nodes", "1"), "limit")
		refuses(t, append(base, "--timeout", "-1s"), "--timeout")
		refuses(t, append(base, "--timeout", "1ns"), "deadline")
		refuses(t, append(base, "--engine", "slow"), "--engine", "slow")
	}
	refuses(t, []string{"run", m, "--shape", "x=100000x3", "--memory", "1KiB"}, "limit")
	refuses(t, []string{"run", m, "--shape", "x=2x3", "--threads", "-1"}, "--threads")
	refuses(t, []string{"bench", m, "--shape", "x=2x3", "--threads", "0"}, "--threads")
	require.Contains(t, answers(t, yes, "run", m, "--shape", "x=2x3", "--memory", "1MiB", "--max-nodes", "10", "--timeout", "1m"), "y: float")
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "2B": 2, "3KiB": 3 << 10, "1.5MiB": 3 << 19, "4GiB": 4 << 30, "2 KB": 2000, "1TB": 1e12} {
		got, err := parseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "B", "-1", "0", "NaN", "Inf", "1e300", "1XB"} {
		_, err := parseSize(text)
		require.ErrorIs(t, err, onnx.ErrInvalid, text)
	}
}

func TestVersion(t *testing.T) {
	out := answers(t, yes, "version")
	for _, part := range []string{"gneiss ", "cpu tier ", "ai.onnx up to opset ", "IR up to "} {
		require.Contains(t, out, part)
	}
}

func TestStatus(t *testing.T) {
	var e bytes.Buffer
	a := &app{out: io.Discard, err: &e}
	require.Equal(t, yes, a.status(nil))
	require.Equal(t, no, a.status(fmt.Errorf("x: %w", errNo)))
	require.Empty(t, e.String())
	require.Equal(t, unanswered, a.status(errors.New("two\nlines")))
	require.Equal(t, "gneiss: two lines\n", e.String())
	require.Equal(t, bug, a.status(onnx.Internalf("broken")))
}

// stubborn panics when it is written to.
type stubborn struct{}

func (stubborn) Write([]byte) (int, error) { panic("no room\nleft") }

func TestPanic(t *testing.T) {
	var e bytes.Buffer
	require.Equal(t, bug, run([]string{"version"}, stubborn{}, &e))
	oneMessage(t, e.String())
	require.Contains(t, e.String(), "internal error: no room left: please report it")
	require.NotContains(t, e.String(), "goroutine")

	t.Setenv("GNEISS_TRACE", "1")
	e.Reset()
	require.Equal(t, bug, run([]string{"version"}, stubborn{}, &e))
	require.Contains(t, e.String(), "goroutine")
}
