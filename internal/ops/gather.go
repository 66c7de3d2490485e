package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Gather takes the slices of an axis that indices name. Opset 11 allowed negative indices.
var opGather = opdef.Def{
	Type:    "Gather",
	Infer:   inferGather,
	Compile: moving(runGather),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, gatherGrad(c.Builder, c.In(0), c.In(1), c.DY(0), c.Node.Int("axis", 0)))
		return nil
	},
}

// gatherGrad emits zeros like x to which the slices of dy are added where indices name them.
func gatherGrad(b *onnx.Builder, x, indices, dy *onnx.Value, axis int64) *onnx.Value {
	return b.Private("GatherGrad", values{x, indices, dy}, onnx.Int("axis", axis))
}

func inferGather(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	at, err := c.Shape(1)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	a, err := opdef.Axis(c.Node.Int("axis", 0), len(x))
	if err != nil {
		return err
	}
	out := append(append(append([]onnx.Dim{}, x[:a]...), at...), x[a+1:]...)
	c.Set(0, c.Elem(0), out...)
	return gatherInts(c)
}

// gatherInts follows the contents of a list of sizes.
func gatherInts(c *opdef.Infer) error {
	v, ok := c.Ints(0)
	at, ok2 := c.FixedInts(1)
	if !ok || !ok2 || c.Ins[0].Rank() != 1 || c.Ins[1].Rank() > 1 {
		return nil
	}
	part := make([]onnx.Dim, len(at))
	for i, k := range at {
		if k < -int64(len(v)) || k >= int64(len(v)) {
			return nil // the run says so, if it comes to that
		}
		if k < 0 {
			k += int64(len(v))
		}
		part[i] = v[k]
	}
	c.SetInts(0, part)
	return nil
}

func runGather(m *mover) error {
	shape, axis, err := m.axis(0, m.Node.Int("axis", 0))
	if err != nil {
		return err
	}
	at, err := integersOf(m.In[1])
	if err != nil {
		return err
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	to := append(append(append(m.take(len(shape) + len(m.shape(1)))[:0], shape[:axis]...), m.shape(1)...), shape[axis+1:]...)
	y, err := m.output(0, m.In[0].Elem, to)
	if err != nil {
		return err
	}
	outer, inner, n := product(shape[:axis]), product(shape[axis+1:]), shape[axis]
	for i := range at.len() {
		k, err := at.index(i, n)
		if err != nil {
			return err
		}
		for o := range outer {
			y.from((o*at.len()+i)*inner, x, (o*n+k)*inner, inner)
		}
	}
	return nil
}

// axis is the shape of input i and a checked axis of it.
func (m *mover) axis(i int, axis int64) ([]int, int, error) {
	shape := m.shape(i)
	a, err := opdef.Axis(axis, len(shape))
	return shape, a, err
}
