package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// DepthToSpace moves channels into blocks of height and width: [N, C*b*b, H, W] -> [N, C, H*b, W*b]. Opset 11 added mode.
var opDepthToSpace = opdef.Def{
	Type: "DepthToSpace",
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
		depth, err := wholeDim(x[1], mulDims(d, d))
		c.Set(0, c.Elem(0), x[0], depth, sizeDim(mulDims(x[2], d)), sizeDim(mulDims(x[3], d)))
		return err
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		_, err := blockSize(c.Node)
		return moveStep(c, opdef.Step{}, func(m *mover) error { return runSpaceDepth(m, true) }), err
	},
	Grad: func(c *opdef.Grad) error { return gradSpaceDepth(c, "SpaceToDepth") },
	Body: bodyDepthToSpace,
}

// blockSize is the checked attribute blocksize.
func blockSize(n *onnx.Node) (int64, error) {
	b := n.Int("blocksize", 0)
	if b <= 0 || b > 1<<15 {
		return 0, onnx.Invalidf("blocksize: expected a size from 1 to %d, received %d", 1<<15, b)
	}
	if mode := n.Str("mode", "DCR"); mode != "DCR" && mode != "CRD" {
		return 0, onnx.Invalidf("unknown mode %.128q", mode)
	}
	return b, nil
}

// wholeDim is a/b, an error when both are known and do not divide.
func wholeDim(a, b onnx.Dim) (onnx.Dim, error) {
	if a.IsFixed() && known(b) && a.N%b.N != 0 {
		return onnx.Unknown, onnx.Invalidf("size %d does not divide by %d", a.N, b.N)
	}
	return sizeDim(divDims(a, b)), nil
}

func gradSpaceDepth(c *opdef.Grad, inverse string) error {
	c.SetDX(0, c.Op(inverse, values{c.DY(0)},
		onnx.Int("blocksize", c.Node.Int("blocksize", 0)), onnx.Str("mode", c.Node.Str("mode", "DCR"))))
	return nil
}

// runSpaceDepth moves from depth to space, or back.
func runSpaceDepth(m *mover, toSpace bool) error {
	b64, err := blockSize(m.Node)
	if err != nil {
		return err
	}
	b, s, to := int(b64), m.shape(0), m.take(4)
	if len(s) != 4 {
		return onnx.Invalidf("expected rank 4, received shape %v", s)
	}
	copy(to, s)
	ok := true
	size := func(n int, err bool) int { ok = ok && !err; return n }
	grow := func(n int) int { p, fits := onnx.MulSize(n, b); return size(p, !fits) }
	cut := func(n int) int { return size(n/b, n%b != 0) }
	if toSpace {
		to[1], to[2], to[3] = cut(cut(s[1])), grow(s[2]), grow(s[3])
	} else {
		to[1], to[2], to[3] = grow(grow(s[1])), cut(s[2]), cut(s[3])
	}
	if _, fits := onnx.NumElements(to); !ok || !fits {
		return onnx.Invalidf("shape %v does not fit blocks of %d", s, b)
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, to)
	if err != nil {
		return err
	}
	deep, flat := s, to
	if !toSpace {
		deep, flat = to, s
	}
	box, ds, ss := spaceDepth(m, deep, flat, b)
	if toSpace {
		m.strided(y, region{0, ss}, x, region{0, ds}, box)
	} else {
		m.strided(y, region{0, ds}, x, region{0, ss}, box)
	}
	return nil
}

// spaceDepth is the box (n, c, h, i, w, j) of blocks (i, j) with its strides in the deep and in the flat tensor.
func spaceDepth(m *mover, deep, flat []int, b int) (box, ds, ss []int) {
	box, ds, ss = m.take(6), m.take(6), m.take(6)
	d, s := m.rowMajor(deep), m.rowMajor(flat)
	box[0], box[1], box[2], box[3], box[4], box[5] = deep[0], flat[1], deep[2], b, deep[3], b
	ss[0], ss[1], ss[2], ss[3], ss[4], ss[5] = s[0], s[1], s[2]*b, s[2], b, 1
	ds[0], ds[2], ds[4] = d[0], d[2], 1
	if m.Node.Str("mode", "DCR") == "DCR" {
		ds[1], ds[3], ds[5] = d[1], d[1]*flat[1]*b, d[1]*flat[1]
	} else {
		ds[1], ds[3], ds[5] = d[1]*b*b, d[1]*b, d[1]
	}
	return box, ds, ss
}

func bodyDepthToSpace(c *opdef.Rewrite) error {
	b := recipe{c}
	n, err := blockSize(c.Node)
	if err != nil {
		return err
	}
	x, size := b.in(0), b.ints(n)
	depth, h, w := b.do("Div", b.dim(x, 1), b.ints(n*n)), b.dim(x, 2), b.dim(x, 3)
	var y *onnx.Value
	if c.Node.Str("mode", "DCR") == "DCR" {
		y = b.transpose(b.reshape(x, b.dim(x, 0), size, size, depth, h, w), 0, 3, 4, 1, 5, 2)
	} else {
		y = b.transpose(b.reshape(x, b.dim(x, 0), depth, size, size, h, w), 0, 1, 4, 2, 5, 3)
	}
	return b.finish(b.reshape(y, b.dim(x, 0), depth, b.do("Mul", h, size), b.do("Mul", w, size)))
}
