package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.DropoutGrad: dy, mask, training_mode, ratio -> dx.
var opDropoutGrad = opdef.Def{
	Type:   "DropoutGrad",
	Domain: onnx.Private,
	Schema: &schema.Schema{MinIn: 3, MaxIn: 4, MinOut: 1, MaxOut: 1},
	Infer:  opdef.SameAsFirst,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("DropoutGrad", values{c.DY(0), c.In(1), c.In(2), c.In(3)}))
		return nil
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		scale, err := scalerOf(c.Elem(0))
		if err != nil {
			return opdef.Step{}, err
		}
		return moveStep(c, opdef.Step{Alias: []opdef.Alias{{}}}, func(m *mover) error {
			on, ratio, err := dropping(m, 2, 3)
			if err != nil {
				return err
			}
			dy, mask := m.In[0], opdef.Of[bool](m.In[1])
			if len(mask) != dy.Len() {
				return onnx.Invalidf("a mask of shape %v for a gradient of shape %v", m.shape(1), dy.Shape)
			}
			dx, err := m.bound(0, dy.Elem, dy.Shape)
			switch {
			case err != nil || len(dy.Data) == 0:
			case on && ratio > 0:
				scale(dx.Data, dy.Data, mask, ratio)
			case &dx.Data[0] != &dy.Data[0]:
				copy(dx.Data, dy.Data)
			}
			return err
		}), nil
	},
}
