package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Abs: y = |x|. The most negative integer stays as it is. The gradient at 0 is 0.
//
// Opset 6: consumed_inputs goes. 13: types.
var opAbs = opdef.Def{
	Type:    "Abs",
	Infer:   opdef.SameAsFirst,
	Compile: arith(vec.Abs),
	Layouts: mapLayouts,
	Upgrade: dropConsumed,
	Grad:    times(func(f formula, x, y *onnx.Value) *onnx.Value { return f.one("Sign", x) }),
}
