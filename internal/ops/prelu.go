package ops

import (
	"errors"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// PRelu: y = x for x of at least 0, else slope * x; slope broadcasts to x. The gradient at 0 is that of the negative side.
//
// Opset 6: consumed_inputs goes. 7: slope broadcasts; before, it had one element, or one per channel. 9, 16: types.
var opPRelu = opdef.Def{
	Type:    "PRelu",
	Infer:   inferPRelu,
	Compile: arith(vec.PRelu),
	Layouts: broadcastLayouts,
	Upgrade: upgradePRelu,
	Grad:    gradPRelu,
}

func inferPRelu(c *opdef.Infer) error {
	if err := inferVariadic(c); errors.Is(err, opdef.ErrNoRank) {
		return c.Like(0, 0)
	} else if err != nil {
		return err
	}
	x, err := c.Shape(0)
	if err != nil {
		return err
	}
	y := c.Outs[0].Shape
	wider := len(y) > len(x)
	for i := 0; i < len(y) && !wider; i++ {
		wider = x[i].IsFixed() && y[i].IsFixed() && x[i] != y[i]
	}
	if wider {
		return onnx.Invalidf("slope %v does not broadcast to %v", c.Ins[1], c.Ins[0])
	}
	return c.Like(0, 0)
}

func gradPRelu(c *opdef.Grad) error {
	f := formula{c}
	up := f.test("Greater", c.In(0), f.num(0))
	if c.Needs(0) {
		c.SetDX(0, f.where(up, c.DY(0), f.mul(c.DY(0), c.In(1))))
	}
	if c.Needs(1) {
		c.SetDX(1, sumTo(c, f.where(up, f.num(0), f.mul(c.DY(0), c.In(0))), c.In(1)))
	}
	return nil
}

// upgradePRelu puts a slope per channel beside axis 1.
func upgradePRelu(c *opdef.Rewrite) error {
	n := c.Node
	n.DropAttr("consumed_inputs")
	if c.Version >= 7 {
		return nil
	}
	x, s := n.In(0).Type, n.In(1).Type
	if !x.Ranked || !s.Ranked {
		return onnx.Unsupportedf("PRelu before opset 7 needs known ranks, received %v and %v", x, s)
	}
	one := len(s.Shape) == 1 && s.Shape[0].Same(onnx.Fixed(1))
	if len(s.Shape) == 1 && !one && len(x.Shape) > 2 {
		n.SetIn(1, unsqueezeEnd(c, n.In(1), 1, len(x.Shape)-2))
	}
	return c.Err()
}
