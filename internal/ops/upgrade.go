package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// dropConsumed upgrades operators that only lost the attribute consumed_inputs, at opset 6.
func dropConsumed(c *opdef.Rewrite) error {
	c.Node.DropAttr("consumed_inputs")
	return nil
}

// upgradeBroadcast upgrades binary operators from before opset 7, where B broadcasts only if broadcast is set, and then from
// the given axis of A on (default: B's axes are A's last).
func upgradeBroadcast(c *opdef.Rewrite) error {
	n := c.Node
	axis, on, suffix := n.Int("axis", 0), n.Int("broadcast", 0) != 0, n.Attr("axis") == nil
	n.DropAttr("consumed_inputs", "broadcast", "axis")
	if c.Version >= 7 || !on || suffix {
		return nil
	}
	a, b := n.In(0).Type, n.In(1).Type
	if !a.Ranked || !b.Ranked {
		return onnx.Unsupportedf("broadcasting from axis %d before opset 7 needs known ranks, received %v and %v", axis, a, b)
	}
	at, err := opdef.Axis(axis, len(a.Shape))
	if err != nil {
		return err
	}
	after := len(a.Shape) - at - len(b.Shape)
	if after < 0 {
		return onnx.Invalidf("shape %v does not fit into %v from axis %d on", b, a, at)
	}
	if after > 0 {
		n.SetIn(1, unsqueezeEnd(c, n.In(1), len(b.Shape), after))
	}
	return c.Err()
}

// unsqueezeEnd appends count axes of size 1 to v, which has the given rank.
func unsqueezeEnd(c *opdef.Rewrite, v *onnx.Value, rank, count int) *onnx.Value {
	axes := make([]int64, count)
	for i := range axes {
		axes[i] = int64(rank + i)
	}
	return c.Op("Unsqueeze", values{v, c.Builder.Const(onnx.Vector(axes...))})
}
