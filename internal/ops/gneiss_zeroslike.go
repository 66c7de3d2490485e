package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.ZerosLike: zeros with the shape and element type of the input, of which only the shape is read.
var opZerosLike = opdef.Def{
	Type:   "ZerosLike",
	Domain: onnx.Private,
	Schema: private(1, 1),
	Infer:  opdef.SameAsFirst,
	Grad:   opdef.ZeroGrad,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		if c.Elem(0) == onnx.String {
			return opdef.Step{}, badElem(onnx.String)
		}
		return opdef.Step{ShapeOnly: []int{0}, Run: func(r *opdef.Run) error {
			clear(r.Out[0].Data)
			return nil
		}}, nil
	},
}
