package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// GRUGrad: the gradients of the inputs of GRU, back through time, from those inputs (X, W, R, B, sequence_lens, initial_h,
// initial_c, P; what GRU lacks is absent), what the forward pass saved, Y, and the gradients of its outputs. An output of an
// absent input is empty. Attributes are those of GRU.
var opGRUGrad = opdef.Def{
	Type:    "GRUGrad",
	Domain:  onnx.Private,
	Schema:  &schema.Schema{MinIn: recurrentInputs, MaxIn: recurrentInputs + 5, MinOut: 1, MaxOut: recurrentInputs},
	Infer:   inferRecurrentGrad,
	Compile: recurrentGRU.compileGrad,
	Grad:    opdef.NoGrad,
}
