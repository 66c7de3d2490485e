package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.SliceGrad: x, dy, starts, ends, axes, steps -> dx, zero outside the slice. Only the shape of x is read.
var opSliceGrad = opdef.Def{
	Type:   "SliceGrad",
	Domain: onnx.Private,
	Schema: &schema.Schema{MinIn: 4, MaxIn: 6, MinOut: 1, MaxOut: 1},
	Infer:  opdef.SameAsFirst,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(1, c.Op("Slice", values{c.DY(0), c.In(2), c.In(3), c.In(4), c.In(5)}))
		return nil
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return moveStep(c, opdef.Step{ShapeOnly: []int{0}}, func(m *mover) error {
			to, box, err := sliced(m, m.shape(0), 2)
			if err != nil {
				return err
			}
			if !slices.Equal(box, m.shape(1)) {
				return onnx.Invalidf("expected a gradient of shape %v, received %v", slices.Clone(box), m.shape(1))
			}
			dy, err := m.elements(1)
			if err != nil {
				return err
			}
			dx, err := m.output(0, m.In[1].Elem, m.shape(0))
			if err != nil {
				return err
			}
			dx.fill(array{})
			m.strided(dx, to, dy, region{0, m.rowMajor(box)}, box)
			return nil
		}), nil
	},
}
