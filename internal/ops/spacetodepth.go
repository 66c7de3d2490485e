package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SpaceToDepth moves blocks of height and width into channels: [N, C, H*b, W*b] -> [N, C*b*b, H, W]. Opset 28 added mode.
var opSpaceToDepth = opdef.Def{
	Type: "SpaceToDepth",
	Infer: func(c *opdef.Infer) error {
		x, err := c.ShapeRank(0, 4)
		if err != nil {
			return setElem(c, 0, c.Elem(0), err)
		}
		b, err := blockSize(c.Node)
		if err != nil {
			return err
		}
		d := onnx.Dim{N: b}
		h, err := wholeDim(x[2], d)
		if err != nil {
			return err
		}
		w, err := wholeDim(x[3], d)
		c.Set(0, c.Elem(0), x[0], sizeDim(mulDims(x[1], mulDims(d, d))), h, w)
		return err
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		_, err := blockSize(c.Node)
		return moveStep(c, opdef.Step{}, func(m *mover) error { return runSpaceDepth(m, false) }), err
	},
	Grad: func(c *opdef.Grad) error { return gradSpaceDepth(c, "DepthToSpace") },
}
