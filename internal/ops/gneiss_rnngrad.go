package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// RNNGrad: the gradients of the inputs of RNN, back through time, from those inputs (X, W, R, B, sequence_lens, initial_h,
// initial_c, P; what RNN lacks is absent), what the forward pass saved, Y, and the gradients of its outputs. An output of an
// absent input is empty. Attributes are those of RNN.
var opRNNGrad = opdef.Def{
	Type:    "RNNGrad",
	Domain:  onnx.Private,
	Schema:  &schema.Schema{MinIn: recurrentInputs, MaxIn: recurrentInputs + 5, MinOut: 1, MaxOut: recurrentInputs},
	Infer:   inferRecurrentGrad,
	Compile: recurrentRNN.compileGrad,
	Grad:    opdef.NoGrad,
}
