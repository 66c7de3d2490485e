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
	Layouts: mapLayouts,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("GeluGrad", values{c.DY(0), c.In(0)}, onnx.Str("approximate", c.Node.Str("approximate", "none"))))
		return nil
	},
	Body: bodyGelu,
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

func bodyGelu(c *opdef.Rewrite) error {
	b := recipe{c}
	x, e := b.in(0), b.elem(0)
	half, one := b.num(e, 0.5), b.num(e, 1)
	var p *onnx.Value
	switch a := c.Node.Str("approximate", "none"); a {
	case "none":
		p = b.do("Erf", b.do("Div", x, b.do("Sqrt", b.num(e, 2))))
	case "tanh":
		cube := b.do("Mul", b.num(e, 0.044715), b.do("Pow", x, b.num(e, 3)))
		p = b.do("Tanh", b.do("Mul", b.do("Sqrt", b.num(e, 0.63661977236)), b.do("Sum", x, cube)))
	default:
		return onnx.Invalidf("approximate: expected \"none\" or \"tanh\", received %.128q", a)
	}
	return b.finish(b.do("Mul", b.do("Mul", half, x), b.do("Sum", one, p)))
}
