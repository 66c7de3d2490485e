package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Size is the number of elements of a tensor. Versions differ in types only.
var opSize = opdef.Def{
	Type: "Size",
	Infer: func(c *opdef.Infer) error {
		c.Set(0, onnx.Int64)
		if x, err := c.Shape(0); err == nil {
			if n := sizeDim(numel(x)); n != onnx.Unknown {
				c.SetInts(0, []onnx.Dim{n})
			}
		}
		return nil
	},
	Compile: func(*opdef.Compile) (opdef.Step, error) {
		return opdef.Step{ShapeOnly: []int{0}, Run: func(r *opdef.Run) error {
			opdef.Of[int64](r.Out[0])[0] = int64(r.In[0].Len())
			return nil
		}}, nil
	},
	Grad: opdef.ZeroGrad,
}
