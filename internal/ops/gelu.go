package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Gelu: y = x * P(x), where P is the normal distribution function; with approximate = "tanh" an approximation of it.
//
// Opset 20: new.
var opGelu = opdef.Def{
	Type:    "Gelu",
	Infer:   opdef.SameAsFirst,
	Compile: compileGelu(quick{vec.GeluOf, vec.Gelu}, quick{vec.GeluTanhOf, vec.GeluTanh}, quickly),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("GeluGrad", values{c.DY(0), c.In(0)}, onnx.Str("approximate", c.Node.Str("approximate", "none"))))
		return nil
	},
}

func quickly(by func(*onnx.Node) quick) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) { return by(c.Node).compile(1)(c) }
}

// compileGelu chooses between the exact function and its approximation.
func compileGelu[F any](exact, tanh F, compile func(func(*onnx.Node) F) compiler) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		f := exact
		switch a := c.Node.Str("approximate", "none"); a {
		case "none":
		case "tanh":
			f = tanh
		default:
			return opdef.Step{}, onnx.Invalidf("approximate: expected \"none\" or \"tanh\", received %.128q", a)
		}
		return compile(func(*onnx.Node) F { return f })(c)
	}
}
