package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Not: y = not x, on truth values.
//
// Opset 1: unchanged.
var opNot = opdef.Def{
	Type:    "Not",
	Infer:   opdef.SameAsFirst,
	Compile: logic(vec.Not),
	Grad:    opdef.ZeroGrad,
}
