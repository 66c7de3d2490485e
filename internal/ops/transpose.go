package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Transpose permutes the axes: axis i of the output is axis perm[i] of the input; without perm they are reversed. Versions
// differ in types only.
var opTranspose = opdef.Def{
	Type: "Transpose",
	Infer: func(c *opdef.Infer) error {
		x, err := c.Shape(0)
		if err != nil {
			return setElem(c, 0, c.Elem(0), err)
		}
		out := make([]onnx.Dim, len(x))
		perm, err := permutation(c.Node, len(x), make([]int, len(x)))
		for i, p := range perm {
			out[i] = x[p]
		}
		c.Set(0, c.Elem(0), out...)
		return err
	},
	Compile: moving(runTranspose),
	Grad: func(c *opdef.Grad) error {
		perm, ok := c.Node.Ints("perm")
		if !ok {
			c.SetDX(0, c.Op("Transpose", values{c.DY(0)}))
			return nil
		}
		back := make([]int64, len(perm))
		for i, p := range perm {
			if p < 0 || int(p) >= len(perm) {
				return onnx.Invalidf("perm %v is not a permutation", perm)
			}
			back[p] = int64(i)
		}
		c.SetDX(0, c.Op("Transpose", values{c.DY(0)}, onnx.Ints("perm", back...)))
		return nil
	},
}

// permutation writes the checked attribute perm to p.
func permutation(n *onnx.Node, rank int, p []int) ([]int, error) {
	perm, ok := n.Ints("perm")
	if !ok {
		for i := range p {
			p[i] = rank - 1 - i
		}
		return p, nil
	}
	if len(perm) != rank {
		return nil, onnx.Invalidf("perm %v does not fit rank %d", perm, rank)
	}
	for i, v := range perm {
		if v < 0 || v >= int64(rank) {
			return nil, onnx.Invalidf("perm %v is not a permutation", perm)
		}
		if slices.Contains(p[:i], int(v)) {
			return nil, onnx.Invalidf("perm %v is not a permutation", perm)
		}
		p[i] = int(v)
	}
	return p, nil
}

func runTranspose(m *mover) error {
	shape := m.shape(0)
	perm, err := permutation(m.Node, len(shape), m.take(len(shape)))
	if err != nil {
		return err
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	strides, from, to := m.rowMajor(shape), m.take(len(shape)), m.take(len(shape))
	for i, p := range perm {
		from[i], to[i] = strides[p], shape[p]
	}
	y, err := m.output(0, m.In[0].Elem, to)
	if err != nil {
		return err
	}
	m.strided(y, region{0, m.rowMajor(to)}, x, region{0, from}, to)
	return nil
}
