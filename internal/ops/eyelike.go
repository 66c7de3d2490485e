package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// EyeLike is a matrix of the input's shape with ones on diagonal k and zeros elsewhere. Versions differ in types only.
var opEyeLike = opdef.Def{
	Type: "EyeLike",
	Infer: func(c *opdef.Infer) error {
		e := eyeElem(c.Node, c.Elem(0))
		if _, err := c.ShapeRank(0, 2); err != nil {
			return setElem(c, 0, e, err)
		}
		return c.LikeElem(0, 0, e)
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		e := eyeElem(c.Node, c.Elem(0))
		conv, err := newConversion(onnx.Float32, e, float8{})
		if err != nil || e == onnx.String {
			return opdef.Step{}, badElem(e)
		}
		one := array{size: max(e.Size(), 1), b: onnx.Bytes(max(e.Size(), 1))}
		if err := conv.run(new(wide), one, spreadTensor(onnx.Scalar[float32](1))); err != nil {
			return opdef.Step{}, err
		}
		k := c.Node.Int("k", 0)
		return moveStep(c, opdef.Step{ShapeOnly: []int{0}}, func(m *mover) error { return runEyeLike(m, e, one, k) }), nil
	},
	Grad: opdef.ZeroGrad,
	Widen: func(c *opdef.Rewrite) error {
		if onnx.ElemType(c.Node.Int("dtype", 0)).IsFloat() {
			c.Node.SetAttr(onnx.Int("dtype", int64(onnx.Float64)))
		}
		return nil
	},
}

func eyeElem(n *onnx.Node, like onnx.ElemType) onnx.ElemType {
	e, _ := dtypeAttr(n, "dtype", like)
	return e
}

func runEyeLike(m *mover, e onnx.ElemType, one array, k int64) error {
	shape := m.shape(0)
	if len(shape) != 2 {
		return onnx.Invalidf("expected rank 2, received shape %v", shape)
	}
	y, err := m.output(0, e, shape)
	if err != nil {
		return err
	}
	y.fill(array{})
	if k <= -int64(shape[0]) || k >= int64(shape[1]) {
		return nil
	}
	for i := range shape[0] {
		if j := i + int(k); j >= 0 && j < shape[1] {
			y.from(i*shape[1]+j, one, 0, 1)
		}
	}
	return nil
}
