package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SplitToSequence cuts a tensor along an axis into a sequence: into parts of the sizes in split when that is a list, of one
// size, the last maybe smaller, when it is a number, and of size 1 when it is absent; then keepdims 0 removes the axis.
//
// Opset 24: types.
var opSplitToSequence = opdef.Def{
	Type:    "SplitToSequence",
	Infer:   inferSplitToSequence,
	Compile: boxing(runSplitToSequence),
	Grad:    opdef.NoGrad,
}

func inferSplitToSequence(c *opdef.Infer) error {
	t, ok := c.In(0)
	if !ok {
		return onnx.Invalidf("input 0 is missing")
	}
	if !t.Ranked {
		c.SetType(0, onnx.SequenceOf(onnx.Unranked(t.Elem)))
		return nil
	}
	axis, err := opdef.Axis(c.Node.Int("axis", 0), len(t.Shape))
	if err != nil {
		return err
	}
	t = t.Clone()
	switch {
	case c.Has(1):
		t.Shape[axis] = partDim(c, t.Shape[axis])
	case c.Node.Int("keepdims", 1) == 0:
		t.Shape = slices.Delete(t.Shape, axis, axis+1)
	default:
		t.Shape[axis] = onnx.Fixed(1)
	}
	c.SetType(0, onnx.SequenceOf(t))
	return nil
}

// partDim is the size of all parts of an axis of the given size, where they have one.
func partDim(c *opdef.Infer, total onnx.Dim) onnx.Dim {
	sizes, ok := c.FixedInts(1)
	if !ok || len(sizes) == 0 || sizes[0] < 0 {
		return onnx.Unknown
	}
	scalar := c.Ins[1].Ranked && len(c.Ins[1].Shape) == 0
	for _, s := range sizes {
		if s != sizes[0] {
			return onnx.Unknown
		}
	}
	if scalar && (sizes[0] == 0 || !total.IsFixed() || total.N%sizes[0] != 0) {
		return onnx.Unknown
	}
	return onnx.Dim{N: sizes[0]}
}

func runSplitToSequence(m *mover) error {
	v := m.In[0]
	axis, err := opdef.Axis(m.Node.Int("axis", 0), len(v.Shape))
	if err != nil {
		return err
	}
	if v.Elem.Packed() {
		return badElem(v.Elem)
	}
	sizes, err := partSizes(m, v.Shape[axis])
	if err != nil {
		return err
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	drop := !m.Has(1) && m.Node.Int("keepdims", 1) == 0
	outer, inner, at := product(v.Shape[:axis]), product(v.Shape[axis+1:]), 0
	items := make([]opdef.View, len(sizes))
	for i, size := range sizes {
		shape := slices.Clone(v.Shape)
		if shape[axis] = size; drop {
			shape = slices.Delete(shape, axis, axis+1)
		}
		item, y, err := newItem(m.Run, v.Elem, shape)
		if err != nil {
			return err
		}
		n := size * inner
		for o := range outer {
			y.from(o*n, x, o*v.Shape[axis]*inner+at, n)
		}
		items[i], at = item, at+n
	}
	setSequence(m.Run, 0, onnx.Unranked(v.Elem), items)
	return nil
}

// partSizes is the sizes of the parts of an axis of size total.
func partSizes(m *mover, total int) ([]int, error) {
	each := 1
	if m.Has(1) {
		x, err := m.list(1)
		if err != nil {
			return nil, err
		}
		sizes, err := m.sizes(x)
		if err != nil {
			return nil, err
		}
		if len(m.shape(1)) == 1 {
			left := total
			for _, s := range sizes {
				if left -= s; left < 0 {
					break
				}
			}
			if left != 0 {
				return nil, onnx.Invalidf("split %v does not cut %d", slices.Clone(sizes), total)
			}
			return sizes, nil
		}
		if each = sizes[0]; each < 1 {
			return nil, onnx.Invalidf("split: expected 1 or more, received %d", each)
		}
	}
	n := total / each
	if err := m.charge(n+1, itemBytes); err != nil {
		return nil, err
	}
	sizes := make([]int, 0, n+1)
	for left := total; left > 0; left -= each {
		sizes = append(sizes, min(each, left))
	}
	return sizes, nil
}
