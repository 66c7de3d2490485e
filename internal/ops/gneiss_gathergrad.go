package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.GatherGrad: x, indices, dy -> dx, the sum of the slices of dy that each slice of x went to, added in the order of
// the indices. Only the shape of x is read.
var opGatherGrad = opdef.Def{
	Type:   "GatherGrad",
	Domain: onnx.Private,
	Schema: private(3, 1),
	Infer:  opdef.SameAsFirst,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(2, c.Op("Gather", values{c.DY(0), c.In(1)}, onnx.Int("axis", c.Node.Int("axis", 0))))
		return nil
	},
	Compile: summing(2, func(m *mover, add combine, dx, dy array) error {
		shape, axis, err := m.axis(0, m.Node.Int("axis", 0))
		if err != nil {
			return err
		}
		at, err := integersOf(m.In[1])
		if err != nil {
			return err
		}
		outer, inner, n := product(shape[:axis]), product(shape[axis+1:]), shape[axis]
		if dy.len() != outer*at.len()*inner {
			return onnx.Invalidf("a gradient of shape %v does not fit %v and %d indices", m.shape(2), shape, at.len())
		}
		for i := range at.len() {
			k, err := at.index(i, n)
			if err != nil {
				return err
			}
			for o := range outer {
				add.put(dx, (o*n+k)*inner, dy, (o*at.len()+i)*inner, inner)
			}
		}
		return nil
	}),
}
