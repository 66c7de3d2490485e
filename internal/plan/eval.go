package plan

import (
	"context"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Eval computes the outputs of one node, outside of any run, from the contents of its inputs; nil stands for an absent
// input. Passes fold constants with it. The node must not read variables or captured values.
func Eval(ctx context.Context, o Options, n *onnx.Node, ins []*onnx.Tensor) ([]*onnx.Tensor, error) {
	g := onnx.NewGraph("fold", nil)
	m := g.Add(n.Domain, n.OpType, 0, nil, n.Attrs...)
	m.Name, m.ID, m.Version = n.Label(), n.ID, n.Opset()
	for i, t := range ins {
		if t == nil {
			m.AddIn(nil)
			continue
		}
		m.AddIn(g.Initializer(n.In(i).Name, t.Type(), t))
	}
	for i, v := range n.Outputs() {
		if v == nil {
			continue
		}
		w := m.MakeOut(i)
		w.Type = v.Type
		g.Outputs = append(g.Outputs, w)
	}
	o.Outputs, o.Layouts, o.Threads = nil, nil, 1
	p, err := Build(g, NewVars(), o)
	if err != nil {
		return nil, err
	}
	results, err := p.NewRunner().Results(ctx, make([]opdef.View, 0))
	if err != nil {
		return nil, err
	}
	return spread(n, results)
}

// spread puts the results of the outputs that are present at their places.
func spread(n *onnx.Node, results []onnx.Object) ([]*onnx.Tensor, error) {
	outs := make([]*onnx.Tensor, n.NumOut())
	for i, v := range n.Outputs() {
		if v == nil {
			continue
		}
		t, ok := results[0].(*onnx.Tensor)
		if !ok {
			return nil, onnx.Unsupportedf("output %d is not a tensor", i)
		}
		outs[i], results = t, results[1:]
	}
	return outs, nil
}
