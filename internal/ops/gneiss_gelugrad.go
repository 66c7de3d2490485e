package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.GeluGrad: dx for dy and the input x of Gelu; the attribute approximate is that of Gelu.
var opGeluGrad = opdef.Def{
	Type:    "GeluGrad",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   opdef.SameAsFirst,
	Grad:    opdef.NoGrad,
	Compile: compileGelu(slope(vec.GeluSlope), slope(vec.GeluTanhSlope), pairs),
}

// slope is dx for dy and x, where d is the derivative.
func slope(d func(float64) float64) func(dy, x float64) float64 {
	return func(dy, x float64) float64 { return dy * d(x) }
}
