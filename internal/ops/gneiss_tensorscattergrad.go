package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// TensorScatterGrad: the gradient of the update of TensorScatter from (update, dY, write_indices), with its attributes; of the
// update only the shape is read.
var opTensorScatterGrad = opdef.Def{
	Type:   "TensorScatterGrad",
	Domain: onnx.Private,
	Schema: &schema.Schema{MinIn: 2, MaxIn: 3, MinOut: 1, MaxOut: 1},
	Infer:  opdef.SameAsFirst,
	Grad:   opdef.NoGrad,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return moveStep(c, opdef.Step{ShapeOnly: []int{0}}, func(m *mover) error {
			dy, err := m.elements(1)
			if err != nil {
				return err
			}
			dx, err := m.output(0, m.In[1].Elem, m.shape(0))
			if err != nil {
				return err
			}
			dx.fill(array{})
			return eachWrite(m, m.shape(1), m.shape(0), func(cache, update, n int) { dx.from(update, dy, cache, n) })
		}), nil
	},
}
