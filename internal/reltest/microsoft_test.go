package reltest

import (
	"compress/gzip"
	"encoding/json"
	"os"
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

// TestOperators_microsoft is TestOperators for the operators of com.microsoft and the cases that ONNX Runtime has made.
func TestOperators_microsoft(t *testing.T) {
	f, err := os.Open("../ops/testdata/ms.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var file struct {
		Cases []struct {
			Name   string
			Model  []byte
			Inputs [][]byte
		}
	}
	require.NoError(t, json.NewDecoder(z).Decode(&file))
	var s score
	defer s.report(t)
	count := map[string]int{}
	for _, c := range file.Cases {
		x := &seed{id: c.Name, model: c.Model, inputs: map[int][]byte{}}
		for i, b := range c.Inputs {
			x.inputs[i] = b
		}
		m, err := onnx.Decode(c.Model)
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
	require.Greater(t, len(count), 40)
}
