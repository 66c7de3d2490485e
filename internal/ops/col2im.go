package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Col2Im: adds the columns [N, C·block, L] up into an image [N, C, image_shape...]: each of the L places of the block in the
// padded image adds its column. Truth values are added as or; strings have no sum and are not supported.
//
// One version, of opset 18.
var opCol2Im = opdef.Def{
	Type:    "Col2Im",
	Infer:   inferCol2Im,
	Compile: compileCol2Im,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("Im2Col", values{c.DY(0), c.In(1), c.In(2), c.In(0)}, c.Node.Attrs...))
		return nil
	},
}

func inferCol2Im(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	x, err := c.ShapeRank(0, 3)
	if err != nil {
		return err
	}
	image, ok := c.Ints(1)
	if !ok {
		if n, ok := lengthOf(c, 1); ok {
			image = unknownDims(n)
		} else {
			return nil
		}
	}
	channels := onnx.Unknown
	if block, ok := c.Ints(2); ok {
		n := onnx.Fixed(1)
		for _, d := range block {
			n = mulDims(n, d)
		}
		if isNumber(n, 0) || known(n) && known(x[1]) && x[1].N%n.N != 0 {
			return onnx.Invalidf("%v rows do not fit blocks of %v", x[1], block)
		}
		channels = sizeDim(divDims(x[1], n))
	}
	out := []onnx.Dim{x[0], channels}
	for _, d := range image {
		out = append(out, sizeDim(d))
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

// columns is the geometry of Col2Im: out has the places of the block along each axis.
type columns struct {
	w          *opdef.Window
	image, out []int
	block, l   int // elements of a block; places
	n, c       int
}

// columnsOf reads the inputs image_shape and block_shape, for columns of the given shape.
func columnsOf(m *mover, x []int) (*columns, error) {
	list, err := m.list(1)
	if err != nil {
		return nil, err
	}
	image, err := m.sizes(list)
	if err != nil {
		return nil, err
	}
	if list, err = m.list(2); err != nil {
		return nil, err
	}
	block, err := m.sizes(list)
	if err != nil {
		return nil, err
	}
	if len(x) != 3 || len(block) != len(image) || slices.Contains(block, 0) {
		return nil, onnx.Invalidf("expected columns of rank 3 and blocks of rank %d, received shape %v and blocks %v", len(image), x, slices.Clone(block))
	}
	w, err := opdef.WindowOf(m.Node, len(image), block)
	if err != nil {
		return nil, err
	}
	g := &columns{w: w, image: image, out: m.take(len(image)), block: product(block), l: 1, n: x[0]}
	for i, size := range image {
		if g.out[i], _, _, err = w.Place(i, size); err != nil {
			return nil, err
		}
		g.l *= g.out[i]
	}
	if g.l != x[2] || x[1]%g.block != 0 {
		return nil, onnx.Invalidf("expected columns of %d places and a multiple of %d rows, received shape %v", g.l, g.block, x)
	}
	g.c = x[1] / g.block
	return g, nil
}

// each calls f with the places, in the columns and in the image, of all elements that lie inside the image.
func (g *columns) each(f func(column, image int)) {
	rank, size := len(g.image), product(g.image)
	for p := range g.n * g.c {
		for b := range g.block {
		places:
			for l := range g.l {
				at, step, tap, place := 0, 1, b, l
				for a := rank - 1; a >= 0; a-- {
					k, o := tap%g.w.Kernel[a], place%g.out[a]
					tap, place = tap/g.w.Kernel[a], place/g.out[a]
					i := o*g.w.Strides[a] + k*g.w.Dilations[a] - g.w.Pads[a]
					if i < 0 || i >= g.image[a] {
						continue places
					}
					at, step = at+i*step, step*g.image[a]
				}
				f((p*g.block+b)*g.l+l, p*size+at)
			}
		}
	}
}

func compileCol2Im(c *opdef.Compile) (opdef.Step, error) {
	if c.Elem(0) == onnx.String {
		return opdef.Step{}, badElem(onnx.String)
	}
	add, err := combiner("add", c.Elem(0))
	if err != nil {
		return opdef.Step{}, err
	}
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		g, err := columnsOf(m, m.shape(0))
		if err != nil {
			return err
		}
		x, err := m.elements(0)
		if err != nil {
			return err
		}
		y, err := m.output(0, m.In[0].Elem, append([]int{g.n, g.c}, g.image...))
		if err != nil {
			return err
		}
		y.fill(array{})
		g.each(func(column, image int) { add.put(y, image, x, column, 1) })
		return nil
	}), nil
}
