package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Im2Col: the gradient of Col2Im, from (dY, image_shape, block_shape, columns) and with its attributes; of the columns only the
// shape is read.
var opIm2Col = opdef.Def{
	Type:   "Im2Col",
	Domain: onnx.Private,
	Schema: private(4, 1),
	Infer:  func(c *opdef.Infer) error { return c.Like(0, 3) },
	Grad:   opdef.NoGrad,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return moveStep(c, opdef.Step{ShapeOnly: []int{3}}, func(m *mover) error {
			g, err := columnsOf(m, m.shape(3))
			if err != nil {
				return err
			}
			x, err := m.elements(0)
			if err != nil {
				return err
			}
			if x.len() != g.n*g.c*product(g.image) {
				return onnx.Invalidf("expected a gradient of %d images of %v, received shape %v", g.n*g.c, g.image, m.shape(0))
			}
			y, err := m.output(0, m.In[0].Elem, m.shape(3))
			if err != nil {
				return err
			}
			y.fill(array{})
			g.each(func(column, image int) { y.from(column, x, image, 1) })
			return nil
		}), nil
	},
}
