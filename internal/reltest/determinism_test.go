package reltest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// TestDeterminism compares the SHA-256 of all outputs over numbers of threads and of processors, on both engines, and
// writes every model twice.
func TestDeterminism(t *testing.T) {
	dirs, err := filepath.Glob("../../testdata/models/*/test_data_set_0")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(0))
	var s score
	defer s.report(t)
	for i, dir := range dirs {
		if testing.Short() && i%6 != 0 {
			continue
		}
		dir = filepath.Dir(dir)
		m, err := onnx.ReadFile(filepath.Join(dir, "model.onnx"))
		require.NoError(t, err)
		in := feedsOf(t, m, dir)
		for _, engine := range []runtime.Engine{runtime.Fast, runtime.Plain} {
			sums := map[string]bool{}
			for _, procs := range []int{1, 2} {
				goruntime.GOMAXPROCS(procs)
				for _, threads := range []int{1, 2, 3, 7} {
					sums[outputSum(t, m, in, runtime.Options{Engine: engine, Threads: threads})] = true
				}
			}
			if len(sums) != 1 {
				s.fail("%s: engine %d gives %d different answers", dir, engine, len(sums))
				continue
			}
			s.pass()
		}
		a, err := m.Copy().Encode()
		require.NoError(t, err)
		b, err := m.Copy().Encode()
		require.NoError(t, err)
		if string(a) != string(b) {
			s.fail("%s: written twice, the bytes differ", dir)
		}
	}
}

// feedsOf reads the inputs of a committed model.
func feedsOf(t *testing.T, m *onnx.Model, dir string) map[string]onnx.Object {
	t.Helper()
	s := &seed{inputs: map[int][]byte{}}
	for i := range m.Graph.Inputs {
		b, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", fmt.Sprintf("input_%d.pb", i)))
		if err == nil {
			s.inputs[i] = b
		}
	}
	return s.feeds(m)
}

// outputSum runs m twice in one session, since the second run finds memory used, and hashes the outputs of both.
func outputSum(t *testing.T, m *onnx.Model, in map[string]onnx.Object, o runtime.Options) string {
	t.Helper()
	s, err := runtime.New(m, o)
	require.NoError(t, err)
	defer s.Close()
	var sums [2]string
	for i := range sums {
		out, err := s.RunObjects(context.Background(), in)
		require.NoError(t, err)
		h := sha256.New()
		for _, v := range m.Graph.Outputs {
			b, err := onnx.EncodeObject(out[v.Name])
			require.NoError(t, err)
			h.Write(b)
		}
		sums[i] = fmt.Sprintf("%x", h.Sum(nil))
	}
	if sums[0] != sums[1] {
		return sums[0] + " " + sums[1]
	}
	return sums[0]
}
