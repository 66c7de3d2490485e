package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Shape is the sizes of a tensor, from start to end. Opset 15 added start and end.
var opShape = opdef.Def{
	Type: "Shape",
	Infer: func(c *opdef.Infer) error {
		x, err := c.Shape(0)
		if err != nil {
			if c.Node.Attr("start") == nil && c.Node.Attr("end") == nil {
				c.Set(0, onnx.Int64, onnx.Unknown)
				return nil
			}
			return setElem(c, 0, onnx.Int64, err)
		}
		from, to := shapeRange(c.Node, len(x))
		c.Set(0, onnx.Int64, onnx.Fixed(to-from))
		c.SetInts(0, append([]onnx.Dim{}, x[from:to]...))
		return nil
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return moveStep(c, opdef.Step{ShapeOnly: []int{0}}, func(m *mover) error {
			x := m.shape(0)
			from, to := shapeRange(m.Node, len(x))
			s := m.take(1)
			s[0] = to - from
			y, err := m.bound(0, onnx.Int64, s)
			sizes := opdef.Of[int64](y)
			for i := range sizes {
				sizes[i] = int64(x[from+i])
			}
			return err
		}), nil
	},
	Grad: opdef.ZeroGrad,
}

// shapeRange is which sizes Shape gives: positions out of range are moved to the nearest that is not.
func shapeRange(n *onnx.Node, rank int) (from, to int) {
	r := int64(rank)
	pos := func(v int64) int {
		if v < 0 {
			v += r
		}
		return int(min(max(v, 0), r))
	}
	from, to = pos(n.Int("start", 0)), pos(n.Int("end", r))
	return from, max(from, to)
}
