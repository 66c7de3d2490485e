package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// RNN: h = f(W·x + R·h' + Wb + Rb) over a sequence, in one or both directions.
//
// Opset 1: output_sequence. 7: it goes. 14: layout. 22: bfloat16. 16-bit types are computed in float32. Inside a training step
// its gradient reads Y.
var opRNN = opdef.Def{
	Type:    "RNN",
	Infer:   recurrentRNN.infer,
	Compile: recurrentRNN.compile,
	Grad:    recurrentRNN.gradient,
	Upgrade: upgradeRecurrent,
}
