package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Unsqueeze inserts axes of size 1. Opset 13 made the attribute axes an input.
var opUnsqueeze = opdef.Def{
	Type:  "Unsqueeze",
	Infer: inferUnsqueeze,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return copyStep(c, opdef.Step{}, unsqueezeTo), nil
	},
	Grad:    gradReshapeLike,
	Upgrade: upgradeShapeAxes,
}

func inferUnsqueeze(c *opdef.Infer) error {
	axes, ok := axesOf(c, 1)
	x, err := c.Shape(0)
	if err != nil || !ok {
		if n, ok := lengthOf(c, 1); ok && err == nil {
			c.Set(0, c.Elem(0), unknownDims(len(x)+n)...)
			return nil
		}
		return setElem(c, 0, c.Elem(0), opdef.ErrNoRank)
	}
	out := make([]onnx.Dim, len(x)+len(axes))
	mask, err := opdef.AxisMask(axes, len(out))
	if err != nil {
		return err
	}
	for i := range out {
		if mask[i] {
			out[i] = onnx.Fixed(1)
			continue
		}
		out[i], x = x[0], x[1:]
	}
	c.Set(0, c.Elem(0), out...)
	copyInts(c)
	return nil
}

func unsqueezeTo(m *mover) ([]int, error) {
	x := m.shape(0)
	axes, err := m.list(1)
	if err != nil {
		return nil, err
	}
	to := m.take(len(x) + axes.len())
	if err := markAxes(m, 1, to); err != nil {
		return nil, err
	}
	for i := range to {
		if to[i] == 0 {
			to[i], x = x[0], x[1:]
		}
	}
	return to, nil
}
