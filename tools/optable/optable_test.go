package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/stretchr/testify/require"
)

func TestRow(t *testing.T) {
	r := rowOf("", "Add")
	require.Equal(t, []string{"1", "6", "7", "13", "14"}, r.versions)
	require.Equal(t, []string{kernel, yes}, []string{r.runs, r.grad})
	require.Contains(t, r.have, "tensor(float)")
	require.Subset(t, r.want, r.have)

	require.Equal(t, zero, rowOf("", "Floor").grad)
	require.Equal(t, refused, rowOf("", "BitCast").grad)
	r = rowOf("ai.onnx.preview", "FlexAttention")
	require.Equal(t, []string{body, body}, []string{r.runs, r.grad})
	r = rowOf("ai.onnx.preview.training", "Gradient")
	require.Equal(t, []string{pass, body}, []string{r.runs, r.grad})
	require.True(t, rowOf("", "Upsample").deprecated)
}

// TestProbe asks for types that no kernel has: the answer must tell them from those that one has.
func TestProbe(t *testing.T) {
	s, ok := schema.Newest("", "Conv")
	require.True(t, ok)
	d := ops.All.Find("", "Conv")
	require.True(t, compiles(d, s, "T", "tensor(float)"))
	require.False(t, compiles(d, s, "T", "tensor(string)"))
}

func TestAbbreviate(t *testing.T) {
	require.Equal(t, "float, int32, int64, bool", abbreviate([]string{"tensor(bool)", "tensor(float)", "tensor(int32)", "tensor(int64)"}))
	require.Equal(t, "uint8-64, 2 seq", abbreviate(strings.Fields("tensor(uint16) tensor(uint32) tensor(uint64) tensor(uint8) seq(tensor(float)) seq(tensor(bool))")))
}

func TestReadFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "failures.txt")
	require.NoError(t, os.WriteFile(path, []byte("# a reason\nnode/test_x plain\n\n# other\nnode/test_y optimised\n"), 0o600))
	failing, err := readFailures(path)
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"node/test_x": true, "node/test_y": true}, failing)
}

func TestTabulate(t *testing.T) {
	add, relu := opKey{"", "Add"}, opKey{"", "Relu"}
	cases := []*suiteCase{
		{"node/test_a", []opKey{add, relu}, true},
		{"node/test_a_expanded", []opKey{relu}, false},
		{"simple/test_b", []opKey{add}, true},
	}
	shareBodies(cases)
	for _, r := range tabulate(cases) {
		if r.opKey == add || r.opKey == relu {
			require.Equal(t, [2]int{1, 2}, [2]int{r.passed, r.total}, r.name)
		}
	}
	require.Equal(t, 2, sum(nil, cases).passed)
}

func TestSplice(t *testing.T) {
	b, err := splice([]byte("a\n"+begin+"old\n"+end+"\nb\n"), "new\n")
	require.NoError(t, err)
	require.Equal(t, "a\n"+begin+"new\n"+end+"\nb\n", string(b))
	_, err = splice([]byte("a\n"), "new\n")
	require.Error(t, err)
}
