package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LpPool: the Lp norm of each window of the image; the padding counts as zeros.
//
// Opset 1: p is a float and kernel_shape may be missing, which is not supported. 2: p is an integer. 11: wording. 18: dilations, ceil_mode. 22: types.
var opLpPool = opdef.Def{
	Type:    "LpPool",
	Infer:   inferPool,
	Compile: floatKernel(0, lpPoolStep[float32], lpPoolStep[float64]),
	Grad:    gradLpPool,
	Upgrade: upgradeLpPool,
}

// upgradeLpPool makes the exponent of opset 1, a float, an integer.
func upgradeLpPool(c *opdef.Rewrite) error {
	a := c.Node.Attr("p")
	if c.Version >= 2 || a == nil {
		return nil
	}
	p := c.Node.Float("p", 2)
	if p != float32(int64(p)) {
		return onnx.Unsupportedf("attribute p: %v, which is not an integer, is not supported", p)
	}
	c.Node.SetAttr(onnx.Int("p", int64(p)))
	return nil
}

// exponent is the attribute p of a pooling.
func exponent(n *onnx.Node) (int64, error) {
	p := n.Int("p", 2)
	if p < 1 || p > 1<<20 {
		return 0, onnx.Invalidf("attribute p: expected at least 1, received %d", p)
	}
	return p, nil
}

func lpPoolStep[T float](c *opdef.Compile) (opdef.Step, error) {
	norm, err := exponent(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	return poolStep(c, 0, func(p *pool.Plan[T], r *opdef.Run) error {
		pool.Lp(p, r.Team, opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0]), norm)
		return nil
	})
}

func gradLpPool(c *opdef.Grad) error {
	attrs := append(poolAttributes(c.Node), onnx.Int("p", c.Node.Int("p", 2)))
	c.SetDX(0, c.Private("LpPoolGrad", values{c.DY(0), c.Y(0), c.In(0)}, attrs...))
	return nil
}
