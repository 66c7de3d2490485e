package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/sample"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// GridSample reads X at the places of grid, whose numbers run from -1 to 1 over the image: the nearest element, or interpolated
// linearly or by cubics.
//
// Opset 16: images of two axes, modes bilinear and bicubic. 20: linear and cubic, any number of axes. 22: types. Integers that
// are interpolated are cut toward zero, truth values are true where the number is not 0; strings can be the nearest alone.
var opGridSample = opdef.Def{
	Type:    "GridSample",
	Infer:   inferGridSample,
	Compile: compileGridSample,
	Grad: func(c *opdef.Grad) error {
		g := c.Builder.Node(onnx.Private, "GridSampleGrad", 2, values{c.DY(0), c.In(0), c.In(1)}, c.Node.Attrs...)
		c.SetDX(0, g.Out(0))
		c.SetDX(1, g.Out(1))
		return nil
	},
	Upgrade: func(c *opdef.Rewrite) error {
		if mode := c.Node.Str("mode", "bilinear"); c.Version < 20 {
			names := map[string]string{"bilinear": "linear", "bicubic": "cubic"}
			if to, ok := names[mode]; ok {
				c.Node.SetAttr(onnx.Str("mode", to))
			}
		}
		return nil
	},
}

func inferGridSample(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	x, err := c.Shape(0)
	if err != nil {
		return err
	}
	g, err := c.Shape(1)
	if err != nil {
		return err
	}
	if len(x) < 3 || len(g) != len(x) || known(g[len(g)-1]) && g[len(g)-1].N != int64(len(x)-2) {
		return onnx.Invalidf("expected an image of rank 3 or more and a grid of its rank, received %v and %v", c.Ins[0], c.Ins[1])
	}
	c.Set(0, c.Elem(0), append([]onnx.Dim{x[0], x[1]}, g[1:len(g)-1]...)...)
	return nil
}

// newGrid reads the attributes of n.
func newGrid[T float](n *onnx.Node) (*sample.Grid[T], error) {
	g := &sample.Grid[T]{Align: n.Int("align_corners", 0) != 0}
	switch mode := n.Str("mode", "linear"); mode {
	case "nearest":
		g.Mode = sample.Nearest
	case "linear", "bilinear":
		g.Mode = sample.Linear
	case "cubic", "bicubic":
		g.Mode = sample.Cubic
	default:
		return nil, onnx.Invalidf("attribute mode: expected nearest, linear or cubic, received %.128q", mode)
	}
	switch p := n.Str("padding_mode", "zeros"); p {
	case "zeros":
	case "border":
		g.Padding = sample.Border
	case "reflection":
		g.Padding = sample.Reflection
	default:
		return nil, onnx.Invalidf("attribute padding_mode: expected zeros, border or reflection, received %.128q", p)
	}
	return g, nil
}

// gridSizes sets the sizes of g for an image and places.
func gridSizes[T float](g *sample.Grid[T], x, places []int) error {
	if len(x) < 3 || len(places) != len(x) || places[0] != x[0] || places[len(x)-1] != len(x)-2 {
		return onnx.Invalidf("expected an image of rank 3 or more and a grid of its rank, received shapes %v and %v", x, places)
	}
	if slices.Contains(x[2:], 0) && product(places) > 0 {
		return onnx.Invalidf("an image of shape %v has no elements to sample", x)
	}
	g.N, g.C, g.In, g.Points = x[0], x[1], x[2:], product(places[1:len(places)-1])
	return nil
}

func gridSampleStep[T float](c *opdef.Compile) (opdef.Step, error) {
	_, err := newGrid[T](c.Node)
	return opdef.Step{
		State: func() any {
			g, _ := newGrid[T](c.Node)
			return g
		},
		Run: func(r *opdef.Run) error {
			g := r.State.(*sample.Grid[T])
			if err := gridSizes(g, r.In[0].Shape, r.In[1].Shape); err != nil {
				return err
			}
			g.X, g.Places, g.Y = opdef.Of[T](r.In[0]), opdef.Of[T](r.In[1]), opdef.Of[T](r.Out[0])
			g.Forward(r.Team)
			return nil
		},
	}, err
}

// compileGridSample has a fast way for X and grid of one floating-point type and one for all others.
func compileGridSample(c *opdef.Compile) (opdef.Step, error) {
	e, places := c.Elem(0), c.Elem(1)
	if e.IsFloat() && familyOf(e) == wideFloat && (e == onnx.Float64) == (places == onnx.Float64) {
		return mixedFloats(gridSampleStep[float32], gridSampleStep[float64])(c)
	}
	g, err := newGrid[float64](c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	switch {
	case g.Mode == sample.Nearest:
		return moveStep(c, opdef.Step{}, runGridNearest), nil
	case familyOf(e) == wideString:
		return opdef.Step{}, onnx.Unsupportedf("strings cannot be interpolated")
	}
	return moveStep(c, opdef.Step{}, runGridReals), nil
}

// gridOf sets a grid up from the node, its places in float64, and gives the shape of the output.
func gridOf(m *mover) (g *sample.Grid[float64], shape []int, err error) {
	if g, err = newGrid[float64](m.Node); err != nil {
		return nil, nil, err
	}
	x, places := m.shape(0), m.shape(1)
	if err := gridSizes(g, x, places); err != nil {
		return nil, nil, err
	}
	g.Places, err = m.reals(1)
	return g, append([]int{x[0], x[1]}, places[1:len(places)-1]...), err
}

// runGridNearest moves elements of any type; outside they are zeros, false or empty.
func runGridNearest(m *mover) error {
	g, shape, err := gridOf(m)
	if err != nil {
		return err
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, shape)
	if err != nil {
		return err
	}
	y.fill(array{})
	size := product(g.In)
	for n := range g.N {
		for p := range g.Points {
			at := g.Source(n, p)
			for c := 0; c < g.C && at >= 0; c++ {
				y.from((n*g.C+c)*g.Points+p, x, (n*g.C+c)*size+at, 1)
			}
		}
	}
	return nil
}

// runGridReals interpolates in float64; complex numbers part by part.
func runGridReals(m *mover) error {
	g, shape, err := gridOf(m)
	if err != nil {
		return err
	}
	parts := 1
	if familyOf(m.In[0].Elem) == wideComplex {
		parts = 2
	}
	x, err := m.parts(0, parts)
	if err != nil {
		return err
	}
	n, ok := onnx.NumElements(shape)
	if !ok {
		return onnx.Invalidf("output shape %v is too large", shape)
	}
	y := make([][]float64, parts)
	for i := range y {
		if y[i], err = m.room(n); err != nil {
			return err
		}
		g.X, g.Y = x[i], y[i]
		g.Forward(m.Team)
	}
	return m.setParts(0, m.In[0].Elem, shape, y)
}
