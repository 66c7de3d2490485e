package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// itemBytes is what an item of a sequence costs besides its elements.
const itemBytes = 96

// owned is a copy of v that nothing overwrites, to be put into a sequence or an optional. The run is charged for it.
func owned(r *opdef.Run, v opdef.View) (opdef.View, error) {
	if err := r.Host.Memory(int64(len(v.Data)) + itemBytes); err != nil {
		return opdef.View{}, err
	}
	c := opdef.View{Elem: v.Elem, Shape: slices.Clone(v.Shape), Box: v.Box}
	if v.Box == nil {
		c.Data = onnx.Bytes(len(v.Data))
		copy(c.Data, v.Data)
	}
	return c, nil
}

// newItem makes a tensor that is to be put into a sequence; the run is charged for it.
func newItem(r *opdef.Run, e onnx.ElemType, shape []int) (opdef.View, array, error) {
	v := opdef.View{Elem: e, Shape: slices.Clone(shape)}
	n := product(shape)
	size := max(e.Size(), 1)
	if e == onnx.String {
		size = 16
	}
	bytes, ok := onnx.MulSize(n, size)
	if !ok {
		return v, array{}, onnx.Invalidf("an item of shape %v is too large", v.Shape)
	}
	if err := r.Host.Memory(int64(bytes) + itemBytes); err != nil {
		return v, array{}, err
	}
	if e == onnx.String {
		a := array{s: make([]string, n)}
		v.Box = a.s
		return v, a, nil
	}
	v.Data = onnx.Bytes(bytes)
	return v, array{size: size, b: v.Data}, nil
}

// sequenceAt is input i, which must be a sequence.
func sequenceAt(r *opdef.Run, i int) (*opdef.Seq, error) {
	if !r.Has(i) {
		return nil, onnx.Invalidf("input %d is missing", i)
	}
	s, ok := r.In[i].Box.(*opdef.Seq)
	if !ok {
		return nil, onnx.Invalidf("input %d: expected a sequence, received a value of type %v", i, r.In[i].Elem)
	}
	return s, nil
}

// setSequence makes items output i; of is used where the node's own type says nothing of them.
func setSequence(r *opdef.Run, i int, of onnx.Type, items []opdef.View) {
	if v := r.Node.Out(i); v != nil && v.Type.Kind == onnx.KindSequence && v.Type.Of != nil && v.Type.Of.Elem != onnx.Undefined {
		of = *v.Type.Of
	}
	if r.Wants(i) {
		r.SetBox(i, opdef.View{Box: &opdef.Seq{Of: of, Items: items}})
	}
}

// itemTypeOf is the type of the items of sequence input i. An error of the invalid kind when it is another kind of value.
func itemTypeOf(c *opdef.Infer, i int) (onnx.Type, error) {
	t, ok := c.In(i)
	switch {
	case !ok:
		return onnx.Type{}, onnx.Invalidf("input %d is missing", i)
	case t.Kind == onnx.KindUnknown || t.Kind == onnx.KindSequence && t.Of == nil:
		return onnx.Type{}, nil
	case t.Kind != onnx.KindSequence:
		return onnx.Type{}, onnx.Invalidf("input %d: expected a sequence, received %v", i, t)
	}
	return *t.Of, nil
}

// position is where input i, or the place n-1 when it is absent, points to in a list of n places.
func (m *mover) position(i, n int) (int, error) {
	if !m.Has(i) {
		if n == 0 {
			return 0, onnx.Invalidf("the sequence is empty")
		}
		return n - 1, nil
	}
	p, err := m.one(i)
	if err != nil {
		return 0, err
	}
	if p < -int64(n) || p >= int64(n) {
		return 0, onnx.Invalidf("position %d is out of range for a sequence of %d", p, n)
	}
	if p < 0 {
		p += int64(n)
	}
	return int(p), nil
}

// boxing is the Compile of an operator whose outputs lie outside the arena, or have sizes that depend on data.
func boxing(run func(*mover) error) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) { return moveStep(c, opdef.Step{Data: true}, run), nil }
}
