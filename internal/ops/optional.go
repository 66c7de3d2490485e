package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Optional is an optional that holds its input, or nothing, of the type in the attribute type, when the input is absent.
//
// Opset 28: types.
var opOptional = opdef.Def{
	Type: "Optional",
	Infer: func(c *opdef.Infer) error {
		of, err := optionalType(c.Node)
		if t, ok := c.In(0); ok {
			of, err = t, nil
		}
		if err == nil {
			c.SetType(0, onnx.OptionalOf(of))
		}
		return err
	},
	Compile: boxing(func(m *mover) error {
		opt := &opdef.Opt{}
		if o := m.Node.Out(0); o != nil && o.Type.Of != nil {
			opt.Of = *o.Type.Of
		}
		if m.Has(0) {
			v, err := owned(m.Run, m.In[0])
			if err != nil {
				return err
			}
			opt.Item = &v
		}
		if m.Wants(0) {
			m.SetBox(0, opdef.View{Box: opt})
		}
		return nil
	}),
	Grad: opdef.NoGrad,
}

// optionalType is the attribute type.
func optionalType(n *onnx.Node) (onnx.Type, error) {
	if a := n.Attr("type"); a != nil && a.Type != nil {
		return *a.Type, nil
	}
	return onnx.Type{}, onnx.Invalidf("expected an input or the attribute type")
}
