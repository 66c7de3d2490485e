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
	Body: bodySpaceToDepth,
}

func bodySpaceToDepth(c *opdef.Rewrite) error {
	b := recipe{c}
	n, err := blockSize(c.Node)
	if err != nil {
		return err
	}
	x, size := b.in(0), b.ints(n)
	h, w := b.do("Div", b.dim(x, 2), size), b.do("Div", b.dim(x, 3), size)
	y := b.reshape(x, b.dim(x, 0), b.dim(x, 1), h, size, w, size)
	if c.Node.Str("mode", "DCR") == "DCR" {
		y = b.transpose(y, 0, 3, 5, 1, 2, 4)
	} else {
		y = b.transpose(y, 0, 1, 3, 5, 2, 4)
	}
	return b.finish(b.reshape(y, b.dim(x, 0), b.do("Mul", b.dim(x, 1), b.ints(n*n)), h, w))
}
