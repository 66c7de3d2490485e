package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.ReluGrad: dx for dy and the output y of Relu.
var opReluGrad = opdef.Def{
	Type:   "ReluGrad",
	Domain: onnx.Private,
	Schema: private(2, 1),
	Infer:  opdef.SameAsFirst,
	Grad:   opdef.NoGrad,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return floats(vecTable(c.Generic).ReluGrad, vec.ReluGrad[float64])(c)
	},
}
