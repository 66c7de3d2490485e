package reltest

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/check"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// expectedFailures is the cases that the suite's runner lists as not passing yet.
func expectedFailures(t *testing.T) map[string]bool {
	t.Helper()
	f, err := os.Open("../spectest/expected_failures.txt")
	require.NoError(t, err)
	defer f.Close()
	listed := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if id, _, ok := strings.Cut(s.Text(), " "); ok {
			listed[id] = true
		}
	}
	return listed
}

// TestNoFalseRefusal opens every official and every committed model with the default limits. None may meet a limit, none may
// be called invalid, and only what is known to be missing may be unsupported.
func TestNoFalseRefusal(t *testing.T) {
	seeds, err := suite()
	require.NoError(t, err)
	listed := expectedFailures(t)
	var s score
	defer s.report(t)
	for i, seed := range seeds {
		if testing.Short() && i%10 != 0 {
			continue
		}
		m, err := onnx.Decode(seed.model)
		if err == nil {
			err = opens(m)
		}
		judge(&s, seed.id, err, listed[seed.id])
		if err == nil {
			if faults := check.Model(m, check.Options{}); len(faults) > 0 {
				s.fail("%s: the checker finds %v", seed.id, faults[0])
			}
		}
	}
	files, err := filepath.Glob("../../testdata/models/*/model.onnx")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		m, err := onnx.ReadFile(file)
		if err == nil {
			err = opens(m)
		}
		judge(&s, file, err, false)
	}
}

func opens(m *onnx.Model) error {
	s, err := runtime.New(m, runtime.Options{})
	if err != nil {
		return err
	}
	return s.Close()
}

func judge(s *score, id string, err error, listed bool) {
	var limit *onnx.LimitError
	switch {
	case err == nil:
		s.pass()
	case errors.As(err, &limit), !errors.Is(err, errors.ErrUnsupported), !listed:
		s.fail("%s: %s: %v", id, kindOf(err), err)
	default:
		s.pass()
	}
}

// TestNoFalseRefusal_cache opens a model as content-addressed caches store it: links named like the files, blobs named by
// their content in a folder beside.
func TestNoFalseRefusal_cache(t *testing.T) {
	m, err := onnx.ParseText(`<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) <float[2] w = {3,4}> { y = Mul(x, w) }`)
	require.NoError(t, err)
	root := t.TempDir()
	blobs, snapshot := filepath.Join(root, "blobs"), filepath.Join(root, "snapshots", "0123abcd")
	require.NoError(t, os.MkdirAll(blobs, 0o755))
	require.NoError(t, os.MkdirAll(snapshot, 0o755))
	require.NoError(t, onnx.WriteOptions{External: 1}.WriteFile(m, filepath.Join(snapshot, "model.onnx")))
	files, err := os.ReadDir(snapshot)
	require.NoError(t, err)
	for i, f := range files {
		blob := string(rune('a'+i)) + "f00d"
		require.NoError(t, os.Rename(filepath.Join(snapshot, f.Name()), filepath.Join(blobs, blob)))
		if err := os.Symlink(filepath.Join("..", "..", "blobs", blob), filepath.Join(snapshot, f.Name())); err != nil {
			t.Skipf("this system makes no symbolic links: %v", err)
		}
	}
	s, err := runtime.Open(filepath.Join(snapshot, "model.onnx"), runtime.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}
