package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// GRU: z = f(Wz·x + Rz·h' + bz), r = f(Wr·x + Rr·h' + br), g = g(Wh·x + r·(Rh·h' + Rbh) + Wbh), or Rh·(r·h') without
// linear_before_reset, h = (1-z)·g + z·h' over a sequence, in one or both directions.
//
// Opset 1: output_sequence. 3: linear_before_reset. 7: output_sequence goes. 14: layout. 22: bfloat16. 16-bit types are computed
// in float32. Inside a training step output 2 is what the gradient needs.
var opGRU = opdef.Def{
	Type:    "GRU",
	Infer:   recurrentGRU.infer,
	Compile: recurrentGRU.compile,
	Grad:    recurrentGRU.gradient,
	Upgrade: upgradeRecurrent,
}
