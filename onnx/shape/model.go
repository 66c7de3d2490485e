package shape

import (
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
)

// InferModel gives the types of m's values, those inside subgraphs included, by value: m is not changed. Types that the
// model declares fill what inference leaves open and are ignored where they contradict it; the types of the graph's inputs
// and initializers stand.
//
// The error is an onnx.NodeError that says where inference stopped: a shape that does not fit (invalid), an operator or a
// version that is not known (unsupported).
func InferModel(m *onnx.Model) (map[*onnx.Value]onnx.Type, error) {
	c := &onnx.Model{IRVersion: m.IRVersion, Functions: m.Functions}
	var copied onnx.Copied
	c.Graph, copied = m.Graph.Copy(nil)
	if err := CheckInputs(c.Graph); err != nil {
		return nil, err
	}
	f := New(ops.All)
	f.Hints, f.Forgive, *f.work = true, true, modelWork
	var err error
	if f.Functions, err = compose.NewFunctions(c, compose.Limits{}); err != nil {
		return nil, err
	}
	if err := f.Functions.Check(c.Graph); err != nil {
		return nil, err
	}
	if err := f.Graph(c.Graph); err != nil {
		return nil, err
	}
	types := make(map[*onnx.Value]onnx.Type, len(copied.Values))
	for v, w := range copied.Values {
		types[v] = w.Type
	}
	return types, nil
}
