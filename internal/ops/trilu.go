package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Trilu keeps the upper or the lower triangle of the last two axes, from diagonal k on, and sets the rest to zero.
var opTrilu = opdef.Def{
	Type:  "Trilu",
	Infer: opdef.SameAsFirst,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return moveStep(c, scatterAlias(c), runTrilu), nil
	},
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Op("Trilu", values{c.DY(0), c.In(1)}, onnx.Int("upper", c.Node.Int("upper", 1))))
		return nil
	},
}

func runTrilu(m *mover) error {
	shape, k := m.shape(0), int64(0)
	if len(shape) < 2 {
		return onnx.Invalidf("expected rank 2 or more, received shape %v", shape)
	}
	var err error
	if m.Has(1) {
		if k, err = m.one(1); err != nil {
			return err
		}
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, shape)
	if err != nil {
		return err
	}
	if !y.same(x) {
		y.from(0, x, 0, x.len())
	}
	rows, cols := shape[len(shape)-2], shape[len(shape)-1]
	k = min(max(k, -int64(rows)), int64(cols))
	upper := m.Node.Int("upper", 1) != 0
	for i := range product(shape[:len(shape)-1]) {
		edge := min(max(i%rows+int(k), 0), cols) // column of the diagonal
		if upper {
			y.cut(i*cols, edge).fill(array{})
			continue
		}
		edge = min(max(i%rows+int(k)+1, 0), cols)
		y.cut(i*cols+edge, cols-edge).fill(array{})
	}
	return nil
}
