package reltest

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/stretchr/testify/require"
)

// factsOf is the schema of n's operator: the standard's or, where that has none, the operator's own; nil: there is none.
func factsOf(n *onnx.Node) *schema.Schema {
	if d := ops.All.Find(n.Domain, n.OpType); d != nil && d.Schema != nil {
		return d.Schema
	}
	s, _ := schema.Lookup(n.Domain, n.OpType, n.Opset())
	return s
}

// TestOperators_onnxRuntime is TestOperators for the operators that the official suite hardly has, those of ai.onnx.ml and of
// com.microsoft, and the cases that ONNX Runtime has made for them.
func TestOperators_onnxRuntime(t *testing.T) {
	var s score
	defer s.report(t)
	count := map[string]int{}
	for _, path := range []string{"../ops/testdata/ml.json", "../ops/testdata/ms.json.gz"} {
		for _, x := range runtimeCases(t, path) {
			m, err := onnx.Decode(x.model)
			require.NoError(t, err)
			op := m.Graph.Nodes[0].Operator()
			if count[op]++; testing.Short() && count[op] > 1 {
				continue
			}
			for _, d := range defects(m, x.feeds(m)) {
				kind, err := tryDefect(x, d)
				if why := d.complaint(kind, err); why != "" {
					s.fail("%s (%s): %s: %s: %.600v", x.id, op, d.name, why, err)
				} else {
					s.pass()
				}
			}
		}
	}
	require.Greater(t, len(count), 55)
}

// runtimeCases reads cases of one node whose inputs are tensors; maps, which are written as lists, stay absent.
func runtimeCases(t *testing.T, path string) (seeds []*seed) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		r, err = gzip.NewReader(f)
		require.NoError(t, err)
	}
	var file struct {
		Cases []struct {
			Name   string
			Model  []byte
			Inputs []json.RawMessage
		}
	}
	require.NoError(t, json.NewDecoder(r).Decode(&file))
	for _, c := range file.Cases {
		x := &seed{id: c.Name, model: c.Model, inputs: map[int][]byte{}}
		for i, raw := range c.Inputs {
			var b []byte
			if json.Unmarshal(raw, &b) == nil {
				x.inputs[i] = b
			}
		}
		seeds = append(seeds, x)
	}
	require.NotEmpty(t, seeds)
	return seeds
}
