package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// GatherElements takes, for each element of indices, the element of the input at that index of the axis and at its own place
// of the other axes. Versions differ in types only.
var opGatherElements = opdef.Def{
	Type: "GatherElements",
	Infer: func(c *opdef.Infer) error {
		return c.LikeElem(0, 1, c.Elem(0))
	},
	Compile: moving(func(m *mover) error {
		x, err := m.elements(0)
		if err != nil {
			return err
		}
		y, err := m.output(0, m.In[0].Elem, m.shape(1))
		if err != nil {
			return err
		}
		return elementwise(m, 0, 1, func(i, at int) { y.from(i, x, at, 1) })
	}),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Op("ScatterElements", values{c.Zeros(c.In(0)), c.In(1), c.DY(0)},
			onnx.Int("axis", c.Node.Int("axis", 0)), onnx.Str("reduction", "add")))
		return nil
	},
}

// elementwise calls do for each element of the indices in input idx: its number, and the number of the element of input
// data (or of a tensor of its shape) that it names.
func elementwise(m *mover, data, idx int, do func(i, at int)) error {
	shape, axis, err := m.axis(data, m.Node.Int("axis", 0))
	if err != nil {
		return err
	}
	at, err := integersOf(m.In[idx])
	if err != nil {
		return err
	}
	box := m.shape(idx)
	if len(box) != len(shape) {
		return onnx.Invalidf("expected indices of rank %d, received shape %v", len(shape), box)
	}
	for a, n := range box {
		if a != axis && n > shape[a] {
			return onnx.Invalidf("indices of shape %v do not fit into shape %v", box, shape)
		}
	}
	stride, place, off := m.rowMajor(shape), m.take(len(shape)), 0 // off leaves the axis out
	for i := range at.len() {
		k, err := at.index(i, shape[axis])
		if err != nil {
			return err
		}
		do(i, off+k*stride[axis])
		for a := len(box) - 1; a >= 0; a-- {
			place[a]++
			if a != axis {
				off += stride[a]
			}
			if place[a] < box[a] {
				break
			}
			if a != axis {
				off -= stride[a] * box[a]
			}
			place[a] = 0
		}
	}
	return nil
}
