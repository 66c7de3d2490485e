package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Compress keeps the slices of an axis (the elements, without axis) for which condition is true; a condition may be shorter
// than the axis. Opset 11 allowed negative axes.
var opCompress = opdef.Def{
	Type: "Compress",
	Infer: func(c *opdef.Infer) error {
		axis := c.Node.Attr("axis")
		if axis == nil {
			c.Set(0, c.Elem(0), onnx.Unknown)
			return nil
		}
		x, err := c.Shape(0)
		if err != nil {
			return setElem(c, 0, c.Elem(0), err)
		}
		a, err := opdef.Axis(axis.I, len(x))
		if err != nil {
			return err
		}
		out := append([]onnx.Dim{}, x...)
		out[a] = onnx.Unknown
		c.Set(0, c.Elem(0), out...)
		return nil
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		if c.Elem(1) != onnx.Bool {
			return opdef.Step{}, onnx.Invalidf("condition: expected bool, received %v", c.Elem(1))
		}
		return moveStep(c, opdef.Step{Data: true}, runCompress), nil
	},
	Grad: gradCompress,
}

func runCompress(m *mover) error {
	shape, cond := m.shape(0), opdef.Of[uint8](m.In[1])
	outer, n, inner := 1, product(shape), 1
	to := m.take(1)
	axis := 0
	if at := m.Node.Attr("axis"); at != nil {
		a, err := opdef.Axis(at.I, len(shape))
		if err != nil {
			return err
		}
		outer, n, inner, axis = product(shape[:a]), shape[a], product(shape[a+1:]), a
		to = m.clone(shape)
	}
	if len(m.shape(1)) != 1 || len(cond) > n {
		return onnx.Invalidf("condition: expected %d elements at most, received shape %v", n, m.shape(1))
	}
	count := 0
	for _, c := range cond {
		count += b2i(c != 0)
	}
	to[axis] = count
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, to)
	if err != nil {
		return err
	}
	at := 0
	for o := range outer {
		for i, c := range cond {
			if c != 0 {
				y.from(at, x, (o*n+i)*inner, inner)
				at += inner
			}
		}
	}
	return nil
}

// gradCompress scatters dy to where it came from.
func gradCompress(c *opdef.Grad) error {
	at, x := reshape1(c.Builder, c.Op("NonZero", values{c.In(1)})), c.In(0)
	if axis := c.Node.Attr("axis"); axis != nil {
		c.SetDX(0, gatherGrad(c.Builder, x, at, c.DY(0), axis.I))
		return nil
	}
	flat := gatherGrad(c.Builder, reshape1(c.Builder, x), at, c.DY(0), 0)
	c.SetDX(0, reshapeLike(c.Builder, flat, x))
	return nil
}
