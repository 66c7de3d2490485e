package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Erf: y is the error function of x.
//
// Opset 9: integers, too, whose results are computed in float32 and cut; 13: types.
var opErf = opdef.Def{
	Type:    "Erf",
	Infer:   opdef.SameAsFirst,
	Compile: quick{vec.ErfOf, math.Erf}.compile(1),
	Layouts: mapLayouts,
	Upgrade: func(c *opdef.Rewrite) error {
		e := c.Node.In(0).Type.Elem
		if !e.IsInteger() {
			return nil
		}
		cast := func(v *onnx.Value, to onnx.ElemType) *onnx.Value {
			return c.Op("Cast", values{v}, onnx.Int("to", int64(to)))
		}
		c.Replace(cast(c.Op("Erf", values{cast(c.Node.In(0), onnx.Float32)}), e))
		return c.Err()
	},
	Grad: times(func(f formula, x, y *onnx.Value) *onnx.Value {
		return f.mul(f.num(2/math.Sqrt(math.Pi)), f.one("Exp", f.one("Neg", f.square(x))))
	}),
}
