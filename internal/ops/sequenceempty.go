package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SequenceEmpty is a sequence without items, of tensors of the element type dtype.
var opSequenceEmpty = opdef.Def{
	Type: "SequenceEmpty",
	Infer: func(c *opdef.Infer) error {
		e, err := dtypeAttr(c.Node, "dtype", onnx.Float32)
		if err == nil {
			c.SetType(0, onnx.SequenceOf(onnx.Unranked(e)))
		}
		return err
	},
	Compile: boxing(func(m *mover) error {
		e, err := dtypeAttr(m.Node, "dtype", onnx.Float32)
		if err == nil {
			setSequence(m.Run, 0, onnx.Unranked(e), nil)
		}
		return err
	}),
	Grad: opdef.ZeroGrad,
}

// dtypeAttr is the element type that an attribute names, def when it is absent.
func dtypeAttr(n *onnx.Node, name string, def onnx.ElemType) (onnx.ElemType, error) {
	v := n.Int(name, int64(def))
	if e := onnx.ElemType(v); int64(e) == v && e.Valid() {
		return e, nil
	}
	return onnx.Undefined, onnx.Invalidf("attribute %s is %d, which is not an element type", name, v)
}
