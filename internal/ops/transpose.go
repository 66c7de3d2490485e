package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
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
	Compile: compileTranspose,
	Layouts: transposeLayouts,
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

// turns reports whether n, with a perm for rank, moves all axes but the first by so many places, those that leave at one end
// coming back at the other.
func turns(n *onnx.Node, rank, by int) bool {
	perm, err := permutation(n, rank, make([]int, rank))
	if err != nil || rank < 3 || perm[0] != 0 {
		return false
	}
	for i := 1; i < rank; i++ {
		if perm[i] != 1+(i-1+by)%(rank-1) {
			return false
		}
	}
	return true
}

// transposeLayouts: channels that lie in blocks are moved to the last axis, and back, as they are.
func transposeLayouts(c *opdef.Layouts) opdef.Blocking {
	x, y := c.Node.In(0), c.Node.Out(0)
	switch {
	case opdef.CanBlock(x) && c.Blocked(x) && turns(c.Node, x.Type.Rank(), 1):
		return opdef.Blocking{In: []int{0}}
	case opdef.CanBlock(y) && turns(c.Node, y.Type.Rank(), y.Type.Rank()-2):
		return opdef.Blocking{Out: []int{0}, Gain: assumedPixels(y.Type.Shape[2:]) * float64(opdef.Channels(y))}
	}
	return opdef.Blocking{}
}

func compileTranspose(c *opdef.Compile) (opdef.Step, error) {
	move, from := blocked.UnpackLast, func(s []int) (channels, pixels int) { return s[1], product(s[2:]) }
	switch {
	case c.OutLayout[0] == opdef.Blocked:
		last := func(s []int) (channels, pixels int) { return s[len(s)-1], product(s[1 : len(s)-1]) }
		move, from = blocked.PackLast, last
	case c.InLayout[0] == opdef.Plain:
		return moveStep(c, opdef.Step{}, runTranspose), nil
	}
	return opdef.Step{Run: func(r *opdef.Run) error {
		channels, pixels := from(r.In[0].Shape)
		move(r.Team, opdef.Of[float32](r.Out[0]), opdef.Of[float32](r.In[0]), r.In[0].Shape[0], channels, pixels)
		return nil
	}}, nil
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
