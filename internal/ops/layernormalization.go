package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LayerNormalization: Y = (X - mean)/√(variance + epsilon)·Scale + B, where mean and population variance are those over the
// axes from axis on. Scale and B broadcast to those axes. Mean and variance are computed in float64 whatever stash_type says,
// which is the type of outputs 1 and 2 alone.
//
// One version, of opset 17. The gradient of outputs 1 and 2 is that of the body.
var opLayerNormalization = opdef.Def{
	Type:    "LayerNormalization",
	Infer:   inferLayerNormalization,
	Compile: rowNormFloats(lastAxes, true),
	Grad:    gradRows(1),
	Widen:   widenType("stash_type", onnx.Float32),
	Body:    bodyLayerNormalization,
}

func inferLayerNormalization(c *opdef.Infer) error {
	if err := c.Like(0, 0); err != nil {
		return err
	}
	stash := onnx.ElemType(c.Node.Int("stash_type", 1))
	if stash != onnx.Float32 && stash != onnx.BFloat16 && stash != onnx.Float16 && stash != onnx.Float64 {
		return onnx.Invalidf("attribute stash_type: expected a float type, received %d", stash)
	}
	for i := 1; i < len(c.Outs); i++ {
		c.SetUnranked(i, stash)
	}
	s, err := c.Shape(0)
	if err != nil {
		return err
	}
	axis, err := opdef.Axis(c.Node.Int("axis", -1), len(s))
	if err != nil {
		return err
	}
	kept := append([]onnx.Dim{}, s[:axis]...)
	for range s[axis:] {
		kept = append(kept, onnx.Fixed(1))
	}
	for i := 1; i < len(c.Outs); i++ {
		c.Set(i, stash, kept...)
	}
	return nil
}

func bodyLayerNormalization(c *opdef.Rewrite) error {
	b := recipe{c}
	x, e, axis := b.in(0), b.elem(0), c.Node.Int("axis", -1)
	u, err := b.stash(1)
	if err != nil {
		return err
	}
	shape := b.do("Shape", x)
	count := b.ints(-axis)
	if axis >= 0 {
		count = b.do("Sub", b.do("Size", shape), b.ints(axis))
	}
	kept := b.concat(0, b.do("Slice", shape, b.ints(0), b.ints(axis)), b.Op("ConstantOfShape", values{count}, onnx.TensorAttr("value", onnx.Vector[int64](1))))
	rows := b.cast(b.Op("Flatten", values{x}, onnx.Int("axis", axis)), u)
	mean, deviation := b.reduce("ReduceMean", rows, 1), b.deviation(rows, 1, u)
	flat := func(i int) *onnx.Value { return b.Op("Flatten", values{b.in(i)}, onnx.Int("axis", 0)) }
	y := b.do("Mul", b.cast(b.do("Div", b.do("Sub", rows, mean), deviation), e), flat(1))
	if b.in(2) != nil {
		y = b.do("Add", y, flat(2))
	}
	outs := values{b.do("Reshape", y, shape), nil, nil}
	for i, v := range (values{mean, b.do("Reciprocal", deviation)}) {
		if b.wants(i + 1) {
			outs[i+1] = b.do("Reshape", v, kept)
		}
	}
	return b.finish(outs...)
}
