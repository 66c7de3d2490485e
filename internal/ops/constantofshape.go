package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ConstantOfShape fills a tensor of the given shape with one value, 0 in float without the attribute value. Versions differ
// in types only.
var opConstantOfShape = opdef.Def{
	Type: "ConstantOfShape",
	Infer: func(c *opdef.Infer) error {
		value := fillValue(c.Node)
		to, ok := c.Ints(0)
		if !ok {
			if n, ok := lengthOf(c, 0); ok {
				c.Set(0, value.Elem, unknownDims(n)...)
				return nil
			}
			return setElem(c, 0, value.Elem, opdef.ErrNoRank)
		}
		for _, d := range to {
			if known(d) && d.N < 0 {
				return onnx.Invalidf("shape %v has a negative size", to)
			}
		}
		c.Set(0, value.Elem, to...)
		n := numel(to)
		if v, ok := opdef.DimsOf(value); ok && len(to) <= 1 && len(v) == 1 && n.IsFixed() && n.N <= maxFollowed {
			c.SetInts(0, slices.Repeat(v, int(n.N)))
		}
		return nil
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		value := fillValue(c.Node)
		if value.Len() != 1 {
			return opdef.Step{}, onnx.Invalidf("attribute value: expected 1 element, received shape %v", value.Shape)
		}
		one := spreadTensor(value)
		return moveStep(c, opdef.Step{}, func(m *mover) error {
			list, err := m.list(0)
			if err != nil {
				return err
			}
			to, err := m.sizes(list)
			if err != nil {
				return err
			}
			y, err := m.output(0, value.Elem, to)
			if err == nil {
				y.fill(one)
			}
			return err
		}), nil
	},
	Grad: opdef.ZeroGrad,
	Widen: func(c *opdef.Rewrite) error {
		if a := c.Node.Attr("value"); a == nil || a.T != nil {
			t, err := widened(fillValue(c.Node))
			if err != nil {
				return err
			}
			c.Node.SetAttr(onnx.TensorAttr("value", t))
		}
		return nil
	},
}

// widened is t in float64 where it holds floating-point numbers, else t.
func widened(t *onnx.Tensor) (*onnx.Tensor, error) {
	if !t.Elem.IsFloat() || t.Elem == onnx.Float64 {
		return t, nil
	}
	conv, err := newConversion(t.Elem, onnx.Float64, float8{})
	if err != nil {
		return nil, err
	}
	y, err := onnx.Zeros(onnx.Float64, t.Shape...)
	if err != nil {
		return nil, err
	}
	return y, conv.run(new(wide), array{size: 8, b: y.Mutable()}, spreadTensor(t))
}

func fillValue(n *onnx.Node) *onnx.Tensor {
	if a := n.Attr("value"); a != nil && a.T != nil {
		return a.T
	}
	return onnx.Vector[float32](0)
}

// spreadTensor is the elements of a small constant.
func spreadTensor(t *onnx.Tensor) array {
	switch {
	case t.Elem == onnx.String:
		return array{s: t.StringData()}
	case !t.Elem.Packed():
		return array{size: t.Elem.Size(), b: t.Bytes()}
	}
	a := array{size: 1, b: make([]byte, t.Len())}
	spread(a.b, t.Bytes(), t.Elem.Bits())
	return a
}
