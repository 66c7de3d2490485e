package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Sqrt: y is the square root of x, NaN for negative x.
//
// Opset 6: consumed_inputs goes. 13: types.
var opSqrt = opdef.Def{
	Type:  "Sqrt",
	Infer: opdef.SameAsFirst,
	Compile: kernelOr(func(*onnx.Node) (func(t *vec.Table, y, x []float32), func(float64) float64) {
		return (*vec.Table).Sqrt, math.Sqrt
	}),
	Layouts: mapWholeLayouts,
	Upgrade: dropConsumed,
	Grad:    times(func(f formula, x, y *onnx.Value) *onnx.Value { return f.div(f.num(0.5), y) }),
}
