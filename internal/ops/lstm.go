package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// LSTM: i, o, f = f(W·x + R·h' + P·c + b) and g = g(Wc·x + Rc·h' + b), c = f·c' + i·g, h = o·h(c) over a sequence, in one or
// both directions. The clip bounds what every activation sees, also the last one. input_forget makes f = 1 - i.
//
// Opset 1: output_sequence. 7: it goes. 14: layout. 22: bfloat16. 16-bit types are computed in float32. Inside a training step
// output 3 is what the gradient needs.
var opLSTM = opdef.Def{
	Type:    "LSTM",
	Infer:   recurrentLSTM.infer,
	Compile: recurrentLSTM.compile,
	Grad:    recurrentLSTM.gradient,
	Upgrade: upgradeRecurrent,
}
