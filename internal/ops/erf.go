package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Erf: y is the error function of x.
//
// Opset 13: types. Integers, which versions 9 and 13 allow, are not supported.
var opErf = opdef.Def{
	Type:    "Erf",
	Infer:   opdef.SameAsFirst,
	Compile: quick{vec.ErfOf, math.Erf}.compile(1),
	Layouts: mapLayouts,
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.mul(f.num(2/math.Sqrt(math.Pi)), f.one("Exp", f.one("Neg", f.square(x))))
	}),
}
