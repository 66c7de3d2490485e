package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Selu: y = gamma * x for x above 0, else gamma * alpha * (e^x - 1).
//
// Opset 6: consumed_inputs goes, alpha and gamma have more digits. 22: types.
var opSelu = opdef.Def{
	Type:  "Selu",
	Infer: opdef.SameAsFirst,
	Compile: activation(func(n *onnx.Node) func(float64) float64 {
		alpha, gamma := seluAttrs(n)
		return func(v float64) float64 {
			if v > 0 {
				return gamma * v
			}
			return gamma * alpha * math.Expm1(v)
		}
	}),
	Layouts: mapLayouts,
	Upgrade: upgradeSelu,
	Grad: times(func(f formula, x, _ *onnx.Value) *onnx.Value {
		alpha, gamma := seluAttrs(f.Node)
		return f.where(f.test("Greater", x, f.num(0)), f.num(gamma), f.mul(f.num(gamma*alpha), f.one("Exp", x)))
	}),
}

func seluAttrs(n *onnx.Node) (alpha, gamma float64) {
	return float64(n.Float("alpha", 1.67326319217681884765625)), float64(n.Float("gamma", 1.05070102214813232421875))
}

// upgradeSelu writes down the defaults of opset 1.
func upgradeSelu(c *opdef.Rewrite) error {
	if c.Version < 6 {
		c.Node.SetAttr(onnx.Float("alpha", c.Node.Float("alpha", 1.6732)))
		c.Node.SetAttr(onnx.Float("gamma", c.Node.Float("gamma", 1.0507)))
	}
	return dropConsumed(c)
}
