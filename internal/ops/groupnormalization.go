package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// GroupNormalization: y = scale·(x - mean)/√(variance + epsilon) + bias, where mean and population variance are those of each
// group of channels of each sample. They are computed in float64 whatever stash_type says.
//
// Opset 18: scale and bias have one element for each group. 21: for each channel.
var opGroupNormalization = opdef.Def{
	Type:    "GroupNormalization",
	Infer:   inferGroups,
	Compile: rowNormFloats(channelGroups, true),
	Grad:    gradGroups,
	Upgrade: upgradeGroupNormalization,
}

// upgradeGroupNormalization repeats scale and bias for the channels of each group.
func upgradeGroupNormalization(c *opdef.Rewrite) error {
	if c.Version >= 21 {
		return nil
	}
	n, groups := c.Node, c.Node.Int("num_groups", 0)
	if groups < 1 {
		return onnx.Invalidf("attribute num_groups: expected at least 1, received %d", groups)
	}
	count := c.Builder.Const(onnx.Vector(groups))
	channels := c.Op("Shape", values{n.In(0)}, onnx.Int("start", 1), onnx.Int("end", 2))
	shape := c.Op("Concat", values{count, c.Op("Div", values{channels, count})}, onnx.Int("axis", 0))
	column, flat := c.Builder.Const(onnx.Vector(groups, 1)), c.Builder.Const(onnx.Vector[int64](-1))
	for i := 1; i < 3; i++ {
		rows := c.Op("Expand", values{c.Op("Reshape", values{n.In(i), column}), shape})
		n.SetIn(i, c.Op("Reshape", values{rows, flat}))
	}
	return c.Err()
}
