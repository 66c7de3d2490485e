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
	Body:    bodyGroupNormalization,
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

func bodyGroupNormalization(c *opdef.Rewrite) error {
	b := recipe{c}
	x, e, groups := b.in(0), b.elem(0), b.ints(c.Node.Int("num_groups", 0))
	u, err := b.stash(1)
	if err != nil {
		return err
	}
	xu := b.cast(x, u)
	lines := b.do("Reshape", xu, b.concat(0, b.ints(0), groups, b.ints(-1)))
	y := b.do("Div", b.do("Sub", lines, b.reduce("ReduceMean", lines, 2)), b.deviation(lines, 2, u))
	channels := b.ints(0, 0, -1)
	y = b.do("Reshape", b.do("Reshape", y, b.do("Shape", x)), channels)
	column := func(i int) *onnx.Value { return b.do("Reshape", b.in(i), b.ints(1, -1, 1)) }
	y = b.do("Add", b.do("Mul", column(1), b.cast(y, e)), column(2))
	return b.finish(b.do("Reshape", y, b.do("Shape", x)))
}

// stash is the type that the attribute stash_type names, def without one.
func (b recipe) stash(def onnx.ElemType) (onnx.ElemType, error) {
	e := onnx.ElemType(b.Node.Int("stash_type", int64(def)))
	if e != onnx.Float32 && e != onnx.BFloat16 && e != onnx.Float16 && e != onnx.Float64 {
		return e, onnx.Invalidf("attribute stash_type: expected a float type, received %d", e)
	}
	return e, nil
}

// deviation is √(mean(v²) - mean(v)² + epsilon) along an axis of v, which has type e.
func (b recipe) deviation(v *onnx.Value, axis int64, e onnx.ElemType) *onnx.Value {
	mean := b.reduce("ReduceMean", v, axis)
	variance := b.do("Sub", b.reduce("ReduceMean", b.do("Mul", v, v), axis), b.do("Mul", mean, mean))
	return b.do("Sqrt", b.do("Add", variance, b.num(e, b.Node.Float("epsilon", 1e-5))))
}
