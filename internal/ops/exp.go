package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Exp: y is e to the power of x.
//
// Opset 6: consumed_inputs goes. 13: types.
var opExp = opdef.Def{
	Type:    "Exp",
	Infer:   opdef.SameAsFirst,
	Compile: quick{vec.ExpOf, math.Exp}.compile(1),
	Layouts: mapWholeLayouts,
	Upgrade: dropConsumed,
	Grad:    times(func(f formula, x, y *onnx.Value) *onnx.Value { return y }),
}
