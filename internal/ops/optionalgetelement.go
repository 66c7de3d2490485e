package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// OptionalGetElement is what an optional holds; an empty one is an error. A value that is no optional is passed on.
//
// Opset 18: values that are no optionals. 28: types.
var opOptionalGetElement = opdef.Def{
	Type: "OptionalGetElement",
	Infer: func(c *opdef.Infer) error {
		t, ok := c.In(0)
		switch {
		case !ok:
			return onnx.Invalidf("input 0 is missing")
		case t.Kind != onnx.KindOptional:
			return opdef.SameAsFirst(c)
		case t.Of != nil:
			c.SetType(0, *t.Of)
		}
		return nil
	},
	Compile: boxing(func(m *mover) error {
		o, ok := m.In[0].Box.(*opdef.Opt)
		switch {
		case !ok:
			return passOn(m.Run, 0, m.In[0])
		case o.Item == nil:
			return onnx.Invalidf("the optional is empty")
		}
		return passOn(m.Run, 0, *o.Item)
	}),
	Grad: func(c *opdef.Grad) error {
		if c.In(0).Type.Kind != onnx.KindTensor {
			return opdef.NoGrad(c)
		}
		c.SetDX(0, c.DY(0))
		return nil
	},
}
