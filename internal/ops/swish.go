package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Swish: y = x / (1 + e^(-alpha*x)).
//
// Opset 24: new.
var opSwish = opdef.Def{
	Type:  "Swish",
	Infer: opdef.SameAsFirst,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		alpha := realAttr(c.Node, "alpha", 1)
		exact := func(v float64) float64 { return v * vec.Sigmoid(alpha*v) }
		return quick{vec.SwishOf, exact}.compile(alpha)(c)
	},
	Layouts: mapLayouts,
	Grad: times(func(f formula, x, _ *onnx.Value) *onnx.Value {
		ax := f.mul(f.num(realAttr(f.Node, "alpha", 1)), x)
		s := f.one("Sigmoid", ax)
		return f.add(s, f.mul(ax, f.mul(s, f.sub(f.num(1), s))))
	}),
}
