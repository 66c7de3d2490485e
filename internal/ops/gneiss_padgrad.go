package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.PadGrad: x, pads, dy, axes -> dx, the gradient of the constant (a scalar). What one element went to is added in row-major
// order. Only the shape of x is read.
var opPadGrad = opdef.Def{
	Type:   "PadGrad",
	Domain: onnx.Private,
	Schema: &schema.Schema{MinIn: 3, MaxIn: 4, MinOut: 1, MaxOut: 2},
	Infer: func(c *opdef.Infer) error {
		c.Set(1, c.Elem(2))
		return opdef.SameAsFirst(c)
	},
	Grad: opdef.NoGrad,
	Compile: summing(2, func(m *mover, add combine, dx, dy array) error {
		p, err := paddingOf(m, m.shape(0))
		if err != nil {
			return err
		}
		if !slices.Equal(p.out, m.shape(2)) {
			return onnx.Invalidf("expected a gradient of shape %v, received %v", slices.Clone(p.out), m.shape(2))
		}
		if err := p.trace(m, m.Node.Str("mode", "constant")); err != nil {
			return err
		}
		var dv array
		if m.Wants(1) {
			if dv, err = m.output(1, m.In[2].Elem, nil); err != nil {
				return err
			}
			clear(dv.b)
		}
		p.each(m, func(to, from, n int) {
			switch {
			case from >= 0:
				add.put(dx, from, dy, to, n)
			case dv.len() > 0:
				for i := range n {
					add.put(dv, 0, dy, to+i, 1)
				}
			}
		})
		return nil
	}),
}
