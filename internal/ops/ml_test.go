package ops_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// mlCase is a case of testdata/ml.json, which tools/python/ml_fixtures.py makes with ONNX Runtime.
type mlCase struct {
	Name            string
	Model           []byte
	Inputs, Outputs []json.RawMessage
}

// TestML_onnxRuntime compares the operators of ai.onnx.ml with ONNX Runtime.
func TestML_onnxRuntime(t *testing.T) {
	b, err := os.ReadFile("testdata/ml.json")
	require.NoError(t, err)
	var file struct{ Cases []mlCase }
	require.NoError(t, json.Unmarshal(b, &file))
	require.NotEmpty(t, file.Cases)
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) { checkML(t, &c, 2e-6, 0) })
	}
}

// checkML runs a case. Floats in tensors may differ by near, those in maps by nearMap, in absolute terms below 1.
func checkML(t *testing.T, c *mlCase, near, nearMap float64) {
	t.Helper()
	m, err := onnx.Decode(c.Model)
	require.NoError(t, err)
	g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
	require.NoError(t, err)
	p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: ops.All})
	require.NoError(t, err)
	r := p.NewRunner()
	defer r.Close()
	var in []opdef.View
	for _, x := range c.Inputs {
		in = append(in, plan.ViewOf(mlInput(t, x)))
	}
	outs, err := r.Results(context.Background(), in)
	require.NoError(t, err)
	require.Len(t, outs, len(c.Outputs))
	for i, want := range c.Outputs {
		if s, ok := outs[i].(*onnx.Sequence); ok {
			checkMaps(t, want, s, nearMap)
			continue
		}
		sameTensor(t, mlTensor(t, want), outs[i].(*onnx.Tensor), near)
	}
}

func mlTensor(t *testing.T, raw json.RawMessage) *onnx.Tensor {
	t.Helper()
	var b []byte
	require.NoError(t, json.Unmarshal(raw, &b))
	x, err := onnx.DecodeTensor(b)
	require.NoError(t, err)
	return x
}

// mlInput reads a tensor, or a map that is written as the list of its keys and that of its values.
func mlInput(t *testing.T, raw json.RawMessage) onnx.Object {
	t.Helper()
	if raw[0] == '"' {
		return mlTensor(t, raw)
	}
	var lists [2]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &lists))
	var numbers []float32
	require.NoError(t, json.Unmarshal(lists[1], &numbers))
	return &onnx.Map{Keys: mlKeys(t, lists[0]), Values: onnx.Vector(numbers...)}
}

func mlKeys(t *testing.T, raw json.RawMessage) *onnx.Tensor {
	t.Helper()
	var words []string
	if json.Unmarshal(raw, &words) == nil {
		k, err := onnx.Strings(words, len(words))
		require.NoError(t, err)
		return k
	}
	var ints []int64
	require.NoError(t, json.Unmarshal(raw, &ints))
	return onnx.Vector(ints...)
}

func checkMaps(t *testing.T, raw json.RawMessage, got *onnx.Sequence, near float64) {
	t.Helper()
	var want []json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &want))
	require.Len(t, got.Items, len(want))
	for i, w := range want {
		a, b := mlInput(t, w).(*onnx.Map), got.Items[i].(*onnx.Map)
		find := func(m *onnx.Map) map[any]float32 {
			v := map[any]float32{}
			for k, x := range onnx.Data[float32](m.Values.(*onnx.Tensor)) {
				if m.Keys.Elem == onnx.String {
					v[m.Keys.StringData()[k]] = x
				} else {
					v[onnx.Data[int64](m.Keys)[k]] = x
				}
			}
			return v
		}
		want, have := find(a), find(b)
		require.Len(t, have, len(want))
		for k, v := range want {
			require.Contains(t, have, k)
			require.InDelta(t, v, have[k], near*max(1, math.Abs(float64(v))), "%v of %v, want %v", k, have, want)
		}
	}
}

func sameTensor(t *testing.T, want, got *onnx.Tensor, near float64) {
	t.Helper()
	require.Equal(t, want.Elem, got.Elem)
	require.Equal(t, want.Shape, got.Shape)
	if want.Elem == onnx.Float32 {
		g := onnx.Data[float32](got)
		for i, w := range onnx.Data[float32](want) {
			require.InDelta(t, w, g[i], near*max(1, float64(w), -float64(w)), "element %d of %v, want %v", i, g, onnx.Data[float32](want))
		}
		return
	}
	require.Equal(t, want.StringData(), got.StringData())
	require.Equal(t, want.Bytes(), got.Bytes())
}
