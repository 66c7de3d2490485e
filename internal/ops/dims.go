package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// numel is the number of elements of a shape as a dim.
func numel(ds []onnx.Dim) onnx.Dim {
	n := onnx.Fixed(1)
	for _, d := range ds {
		if isNumber(d, 0) {
			return d
		}
		n = mulDims(n, d)
	}
	return n
}

// sizeDim is d where it can be a size, else unknown.
func sizeDim(d onnx.Dim) onnx.Dim {
	if d.Name == "" && d.N < 0 {
		return onnx.Unknown
	}
	return d
}

// fits is d, which was computed from parts, or an error where the parts are numbers and the result is none.
func fits(d onnx.Dim, parts ...onnx.Dim) (onnx.Dim, error) {
	if known(parts...) && (!known(d) || d.N < 0) {
		return onnx.Unknown, onnx.Invalidf("a size made of %v is out of range", parts)
	}
	return sizeDim(d), nil
}

// unknownDims is n unknown dims.
func unknownDims(n int) []onnx.Dim {
	ds := make([]onnx.Dim, n)
	for i := range ds {
		ds[i] = onnx.Unknown
	}
	return ds
}

// setElem gives output i an element type where its shape is not known, and returns err.
func setElem(c *opdef.Infer, i int, e onnx.ElemType, err error) error {
	c.SetUnranked(i, e)
	return err
}

// isShapeInt reports whether e is a type whose contents inference follows.
func isShapeInt(e onnx.ElemType) bool { return e == onnx.Int64 || e == onnx.Int32 }

// maxLength is the length up to which a declared list of sizes or axes says a rank: a file may declare any.
const maxLength = 1024

// lengthOf is the number of elements of rank-1 input i, a list of sizes or axes; ok is false when unknown or above maxLength.
func lengthOf(c *opdef.Infer, i int) (int, bool) {
	t, ok := c.In(i)
	if !ok || t.Rank() != 1 || !t.Shape[0].IsFixed() || t.Shape[0].N > maxLength {
		return 0, false
	}
	return int(t.Shape[0].N), true
}

// copyInts gives output 0 the contents of input 0 where it has rank 0 or 1.
func copyInts(c *opdef.Infer) {
	if v, ok := c.Ints(0); ok && isShapeInt(c.Elem(0)) && len(c.Outs) > 0 && c.Outs[0].Ranked && len(c.Outs[0].Shape) <= 1 {
		c.SetInts(0, v)
	}
}

// axesOf is the list of axes in input i: ok is false when the input is present and not known.
func axesOf(c *opdef.Infer, i int) (axes []int64, ok bool) {
	if !c.Has(i) {
		return nil, true
	}
	return c.FixedInts(i)
}

// shapeOf emits the shape of v.
func shapeOf(b *onnx.Builder, v *onnx.Value) *onnx.Value { return b.Op("Shape", values{v}) }

// reshapeLike emits v in the shape of like.
func reshapeLike(b *onnx.Builder, v, like *onnx.Value) *onnx.Value {
	return b.Op("Reshape", values{v, shapeOf(b, like)}, onnx.Int("allowzero", 1))
}

// gradReshapeLike is the Grad of operators that change the shape alone.
func gradReshapeLike(c *opdef.Grad) error {
	c.SetDX(0, reshapeLike(c.Builder, c.DY(0), c.In(0)))
	return nil
}

// padInputs makes the node have n inputs at least.
func padInputs(n *onnx.Node, count int) {
	for n.NumIn() < count {
		n.AddIn(nil)
	}
}

// intsToInput moves a list-of-integers attribute into input i, where newer versions have it.
func intsToInput(c *opdef.Rewrite, attr string, i int) {
	v, ok := c.Node.Ints(attr)
	c.Node.DropAttr(attr)
	if !ok {
		return
	}
	padInputs(c.Node, i+1)
	c.Node.SetIn(i, c.Builder.Const(onnx.Vector(v...)))
}

// copyStep is the step of an operator whose first output has the elements of its first input in their order.
func copyStep(c *opdef.Compile, s opdef.Step, shape func(*mover) ([]int, error)) opdef.Step {
	if e := c.Elem(0); e != onnx.String {
		s.Alias = append(s.Alias, opdef.Alias{})
	}
	return moveStep(c, s, func(m *mover) error {
		to, err := shape(m)
		if err != nil {
			return err
		}
		v := m.In[0]
		if n, ok := onnx.NumElements(to); !ok || n != v.Len() {
			return onnx.Invalidf("shape %v has %d elements, the new shape %v has %d", v.Shape, v.Len(), append([]int(nil), to...), n)
		}
		if v.Elem == onnx.String {
			m.SetBox(0, opdef.View{Elem: v.Elem, Shape: append([]int{}, to...), Box: v.Box})
			return nil
		}
		y, err := m.bound(0, v.Elem, to)
		if err == nil && len(y.Data) > 0 && &y.Data[0] != &v.Data[0] {
			copy(y.Data, v.Data)
		}
		return err
	})
}
