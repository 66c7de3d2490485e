package train

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/gneiss-ml/gneiss/train/convention"
)

// ONNX is the inference graph with the values that the last finished step left. It is safe during Fit; the model returned
// shares nothing that changes.
//
// A model read from a file comes back as it was, names, opset and metadata kept, with only the contents of changed
// initializers replaced. A model made from layers declares the lowest opset, from 13 on, that has its operators in the form
// used, and the lowest IR version of that opset, so that older readers open it.
func (m *Model) ONNX() (*onnx.Model, error) {
	if err := m.build(convention.Keras); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	out := m.source.Copy()
	if c := m.current(); c != nil {
		if err := m.fill(c, out.Graph); err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
	} else if m.b != nil {
		return nil, onnx.Invalidf("train: the model has no values yet: call Compile first")
	}
	if m.b != nil {
		return out, lowest(out)
	}
	return out, nil
}

// fill puts the variables' values into g's initializers and constants.
func (m *Model) fill(c *compiled, g *onnx.Graph) error {
	var names []string
	var put []func(*onnx.Tensor)
	for _, v := range g.Initializers {
		if c.vars.Has(v.Name) {
			names, put = append(names, v.Name), append(put, func(t *onnx.Tensor) { v.Init = v.Init.WithData(t) })
		}
	}
	for _, n := range g.Nodes {
		if n.OpType == "Constant" && n.Out(0) != nil && c.vars.Has(n.Out(0).Name) {
			names, put = append(names, n.Out(0).Name), append(put, func(t *onnx.Tensor) { setConstant(n, t) })
		}
	}
	ts, err := c.vars.ReadAll(names)
	if err != nil {
		return err
	}
	for i, t := range ts {
		put[i](t)
	}
	return nil
}

func setConstant(n *onnx.Node, t *onnx.Tensor) {
	if a := n.Attr("value"); a != nil && a.T != nil {
		t = a.T.WithData(t)
	}
	n.Attrs = []onnx.Attribute{onnx.TensorAttr("value", t)}
}

// oldestOpset is the lowest opset that is written: from 13 on Softmax, the forms of Squeeze and the like mean what they mean
// now.
const oldestOpset = 13

// lowest sets opset and IR version of a model whose nodes are in their newest form.
func lowest(m *onnx.Model) error {
	opset := oldestOpset
	for _, n := range m.Graph.Nodes {
		v, err := since(n)
		if err != nil {
			return onnx.At(n, err)
		}
		opset = max(opset, v)
	}
	m.Graph.SetOpset("", opset)
	m.IRVersion = schema.MinIR(opset)
	for _, n := range m.Graph.Nodes {
		n.Version = 0
	}
	return nil
}

// since is the oldest version of n's operator, from oldestOpset on, that has its inputs, outputs, attributes and types.
func since(n *onnx.Node) (int, error) {
	if n.Domain != "" {
		return 0, onnx.Unsupportedf("operators of domain %.128q cannot be exported", n.Domain)
	}
	for _, s := range schema.Versions(n.Domain, n.OpType) {
		next, _ := schema.Lookup(n.Domain, n.OpType, oldestOpset)
		if s.Since >= next.Since && covers(s, n) {
			return s.Since, nil
		}
	}
	return 0, onnx.Unsupportedf("no version of operator %.128q has this form", n.OpType)
}

func covers(s *schema.Schema, n *onnx.Node) bool {
	if s.Deprecated || n.NumIn() < s.MinIn || n.NumIn() > s.MaxIn || n.NumOut() > s.MaxOut {
		return false
	}
	for i := range n.Attrs {
		if s.Attribute(n.Attrs[i].Name) == nil {
			return false
		}
	}
	for i, v := range n.Inputs() {
		if v != nil && !allows(s, i, v) {
			return false
		}
	}
	return true
}

// allows reports whether v's type is one of those that parameter i may have.
func allows(s *schema.Schema, i int, v *onnx.Value) bool {
	p := s.Input(i)
	return p != nil && s.Constraint(p.Type).Allows(v.Type.TypeString())
}
