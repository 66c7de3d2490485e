package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// AffineGrid: for each sample the places theta·(x, y, 1) or theta·(x, y, z, 1) of all pixels of an image whose sizes
// [N, C, (D,) H, W] are the second input, where x, y and z run from -1 to 1: over the pixels' centres with align_corners, else
// over their edges. The place of the only pixel of an axis is -1 with align_corners, as the reference implementation has it.
//
// One version, of opset 20.
var opAffineGrid = opdef.Def{
	Type:    "AffineGrid",
	Infer:   inferAffineGrid,
	Compile: moving(runAffineGrid),
	Grad:    gradAffineGrid,
}

func inferAffineGrid(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	size, ok := c.Ints(1)
	n, known := lengthOf(c, 1)
	if ok {
		n, known = len(size), true
	}
	if !known {
		return opdef.ErrNoRank
	}
	if n != 4 && n != 5 {
		return onnx.Invalidf("expected 4 or 5 sizes, received %d", n)
	}
	if t := c.Ins[0]; t.Ranked && (len(t.Shape) != 3 || t.Shape[1].IsFixed() && t.Shape[1].N != int64(n-2) || t.Shape[2].IsFixed() && t.Shape[2].N != int64(n-1)) {
		return onnx.Invalidf("expected theta of shape [N, %d, %d] for %d sizes, received %v", n-2, n-1, n, t)
	}
	out := unknownDims(n)
	if out[n-1] = onnx.Fixed(n - 2); ok {
		copy(out[1:], size[2:])
		out[0] = size[0]
	}
	for i := range out {
		out[i] = sizeDim(out[i])
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

func runAffineGrid(m *mover) error {
	list, err := m.list(1)
	if err != nil {
		return err
	}
	size, err := m.sizes(list)
	if err != nil {
		return err
	}
	d := len(size) - 2
	if (d != 2 && d != 3) || !slices.Equal(m.shape(0), []int{size[0], d, d + 1}) {
		return onnx.Invalidf("expected theta of shape [N, 2, 3] or [N, 3, 4] and 4 or 5 sizes, received shapes %v and %v", slices.Clone(m.shape(0)), slices.Clone(m.shape(1)))
	}
	theta, err := m.reals(0)
	if err != nil {
		return err
	}
	shape := append(append([]int{size[0]}, size[2:]...), d)
	n, ok := onnx.NumElements(shape)
	if !ok {
		return onnx.Invalidf("output shape %v is too large", shape)
	}
	y, err := m.room(n)
	if err != nil {
		return err
	}
	g := affineGrid{size: size[2:], align: m.Node.Int("align_corners", 0) != 0, theta: theta, y: y}
	m.Team.DoFunc(size[0]*size[2], g.rows)
	return m.setReals(0, m.In[0].Elem, shape, y)
}

// affineGrid is one AffineGrid.
type affineGrid struct {
	size     []int // of the image
	align    bool
	theta, y []float64
}

// place is where pixel i of n stands between -1 and 1.
func (g *affineGrid) place(i, n int) float64 {
	switch {
	case !g.align:
		return float64(2*i+1)/float64(n) - 1
	case n == 1:
		return -1
	}
	return float64(2*i)/float64(n-1) - 1
}

// rows computes the places of the pixels k of the first axis of all images.
func (g *affineGrid) rows(k int) {
	d := len(g.size)
	at, theta := [4]float64{}, g.theta[k/g.size[0]*d*(d+1):][:d*(d+1)]
	at[d-1], at[d] = g.place(k%g.size[0], g.size[0]), 1
	inner := product(g.size[1:])
	for p := range inner {
		for a, q := d-1, p; a > 0; a-- {
			at[d-1-a] = g.place(q%g.size[a], g.size[a])
			q /= g.size[a]
		}
		for r := range d {
			sum := 0.0
			for c := range d + 1 {
				sum += float64(theta[r*(d+1)+c] * at[c])
			}
			g.y[(k*inner+p)*d+r] = sum
		}
	}
}

// gradAffineGrid multiplies dY, a row for each pixel, by the places of the pixels themselves, which the unit matrix gives.
func gradAffineGrid(c *opdef.Grad) error {
	d := c.Y(0).Type.Rank() - 2
	if d != 2 && d != 3 {
		return onnx.Unsupportedf("the gradient needs sizes of known number, received %v", c.In(1).Type)
	}
	unit := make([]float64, d*(d+1))
	for i := range d {
		unit[i*(d+2)] = 1
	}
	eye, err := onnx.NewTensor(unit, 1, d, d+1)
	if err != nil {
		return err
	}
	ints := func(v ...int64) *onnx.Value { return c.Const(onnx.Vector(v...)) }
	rest := c.Op("Slice", values{c.In(1), ints(1), ints(int64(d + 2))})
	size := c.Op("Concat", values{ints(1), rest}, onnx.Int("axis", 0))
	e := c.Op("Cast", values{c.Const(eye)}, onnx.Int("to", int64(c.In(0).Type.Elem)))
	places := c.Op("AffineGrid", values{e, size}, c.Node.Attrs...)
	places = c.Op("Reshape", values{places, ints(-1, int64(d))})
	pads := c.Op("Pad", values{places, ints(0, 0, 0, 1), number(c.Builder, c.In(0), 1)})
	dy := c.Op("Reshape", values{c.DY(0), ints(0, -1, int64(d))})
	c.SetDX(0, c.Op("MatMul", values{c.Op("Transpose", values{dy}, onnx.Ints("perm", 0, 2, 1)), pads}))
	return nil
}
