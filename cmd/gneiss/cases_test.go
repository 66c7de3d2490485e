package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// testCaseFolder makes a case of the sum below root, with the given expected values.
func testCaseFolder(t *testing.T, root, name string, want ...float32) {
	t.Helper()
	dir := filepath.Join(root, name)
	require.NoError(t, os.MkdirAll(dir, 0o777))
	saveIn(t, dir, sumText)
	pb(t, filepath.Join(dir, "test_data_set_0", "input_0.pb"), vector(t, []float32{0, 0, 0}, 1, 3))
	pb(t, filepath.Join(dir, "test_data_set_0", "output_0.pb"), vector(t, want, 1, 3))
}

func TestTest(t *testing.T) {
	root := t.TempDir()
	testCaseFolder(t, root, "right", 1, 2, 3)
	out := answers(t, yes, "test", root)
	require.True(t, strings.HasSuffix(out, "\n1 passed, 0 failed, 0 skipped\n"), out)

	testCaseFolder(t, root, "deep/wrong", 1, 2, 4)
	skipped := filepath.Join(root, "skipped")
	require.NoError(t, os.MkdirAll(skipped, 0o777))
	saveIn(t, skipped, `g (float[2] x) => (float[2] y) { y = my.domain.Frobnicate(x) }`)
	out = answers(t, no, "test", root)
	require.True(t, strings.HasSuffix(out, "\n1 passed, 1 failed, 1 skipped\n"), out)
	require.Contains(t, out, "fail "+filepath.ToSlash(root)+"/deep/wrong: test_data_set_0: ")

	rows := lines(t, answers(t, no, "test", root, root, "--json"))
	require.Len(t, rows, 4)
	status := map[string]any{}
	for _, r := range rows[:3] {
		status[filepath.Base(r["case"].(string))] = r["status"]
		require.Contains(t, r, "max_abs")
		require.Contains(t, r, "max_rel")
	}
	require.Equal(t, map[string]any{"right": "pass", "wrong": "fail", "skipped": "skip"}, status)
	require.Equal(t, 1.0, rows[3]["passed"])
	require.Equal(t, 1.0, rows[3]["failed"])
	require.Equal(t, 1.0, rows[3]["skipped"])
	require.Contains(t, rows[3], "seconds")
	for _, r := range rows[:3] {
		if r["status"] == "skip" {
			require.Contains(t, r["reason"], "Frobnicate")
		}
	}
}

func TestTest_tolerances(t *testing.T) {
	root := t.TempDir()
	testCaseFolder(t, root, "close", 1.01, 2, 3)
	answers(t, no, "test", root)
	answers(t, no, "test", root, "--profile", "strict", "--engine", "plain")
	answers(t, yes, "test", root, "--atol", "0.02")
	answers(t, yes, "test", root, "--rtol", "0.02", "--atol", "0")
	answers(t, no, "test", root, "--rtol", "0.001")
	require.NoError(t, os.WriteFile(filepath.Join(root, "close", "data.json"), []byte(`{"rtol": 0.02, "atol": 0}`), 0o666))
	answers(t, yes, "test", root)
	answers(t, no, "test", root, "--rtol", "0.001") // the command line wins over the case
	require.NoError(t, os.WriteFile(filepath.Join(root, "close", "data.json"), []byte(`{`), 0o666))
	answers(t, no, "test", root)
}

func TestTest_infinity(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "inf")
	require.NoError(t, os.MkdirAll(dir, 0o777))
	saveIn(t, dir, `g (float[1] x) => (float[1] y) { y = Log(x) }`)
	pb(t, filepath.Join(dir, "test_data_set_0", "input_0.pb"), onnx.Vector[float32](0))
	pb(t, filepath.Join(dir, "test_data_set_0", "output_0.pb"), onnx.Vector[float32](0))
	require.Equal(t, "fail", lines(t, answers(t, no, "test", root, "--json"))[0]["status"])
}

func TestTest_errors(t *testing.T) {
	root := t.TempDir()
	refuses(t, []string{"test", root}, "no case")
	refuses(t, []string{"test", filepath.Join(root, "nonexistent")}, "nonexistent")
	testCaseFolder(t, root, "right", 1, 2, 3)
	refuses(t, []string{"test", root, "--run", "x*"}, "no case")
	answers(t, yes, "test", root, "--run", "r*t")
	refuses(t, []string{"test", root, "--run", "["}, "--run")
	refuses(t, []string{"test", root, "--profile", "loose"}, "loose")
	refuses(t, []string{"test", root, "--rtol", "-2"}, "--rtol")
	refuses(t, []string{"test", root, "--atol", "NaN"}, "--atol")

	// Faulty data fail their case and name the file.
	bad := filepath.Join(root, "right", "test_data_set_0", "input_0.pb")
	require.NoError(t, os.WriteFile(bad, []byte{0xff}, 0o666))
	require.Contains(t, answers(t, no, "test", root), "input_0.pb")
}

// The committed exports of PyTorch and Keras give what the frameworks computed.
func TestTest_models(t *testing.T) {
	out := answers(t, yes, "test", models, "--run", "*-mlp", "--profile", "torch")
	require.Contains(t, out, "pass "+models+"torch-dynamo-mlp: ")
	require.Contains(t, out, "skip "+models+"steps-torch-mlp: the folder has no test_data_set")
}
