package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// reals is the elements of input i, which must be real numbers, as float64. They are charged until the run ends.
func (m *mover) reals(i int) ([]float64, error) {
	v := m.In[i]
	if f := familyOf(v.Elem); f == wideString || f == wideComplex {
		return nil, badElem(v.Elem)
	}
	if v.Elem == onnx.Float64 {
		return opdef.Of[float64](v), nil
	}
	x, err := m.elements(i)
	if err != nil {
		return nil, err
	}
	y, err := m.room(v.Len())
	if err != nil {
		return nil, err
	}
	conv, err := newConversion(v.Elem, onnx.Float64, float8{})
	if err == nil {
		err = conv.run(new(wide), array{size: 8, b: onnx.BytesOf(y)}, x)
	}
	return y, err
}

// room is n numbers, charged until the run ends.
func (m *mover) room(n int) ([]float64, error) {
	if err := m.charge(n, 8); err != nil {
		return nil, err
	}
	return make([]float64, n), nil
}

// setReals makes the numbers y output i.
func (m *mover) setReals(i int, e onnx.ElemType, shape []int, y []float64) error {
	if !m.Wants(i) {
		return nil
	}
	to, err := m.output(i, e, slices.Clone(shape))
	if err != nil {
		return err
	}
	conv, err := newConversion(onnx.Float64, e, float8{})
	if err != nil {
		return err
	}
	return conv.run(new(wide), to, array{size: 8, b: onnx.BytesOf(y)})
}

// parts is the elements of input i as float64: one list for real numbers, the real and the imaginary parts of complex ones.
// They are charged until the run ends.
func (m *mover) parts(i, count int) ([][]float64, error) {
	if count == 1 {
		x, err := m.reals(i)
		return [][]float64{x}, err
	}
	n := m.In[i].Len()
	re, err := m.room(n)
	if err != nil {
		return nil, err
	}
	im, err := m.room(n)
	if err != nil {
		return nil, err
	}
	for k := range re {
		re[k], im[k] = complexAt(m.In[i], k)
	}
	return [][]float64{re, im}, nil
}

// complexAt is element k of a tensor of complex numbers.
func complexAt(v opdef.View, k int) (re, im float64) {
	if v.Elem == onnx.Complex64 {
		x := onnx.View[float32](v.Data)
		return float64(x[2*k]), float64(x[2*k+1])
	}
	x := onnx.View[float64](v.Data)
	return x[2*k], x[2*k+1]
}

// setParts makes the numbers output i: one list, or the real and the imaginary parts.
func (m *mover) setParts(i int, e onnx.ElemType, shape []int, y [][]float64) error {
	if len(y) == 1 {
		return m.setReals(i, e, shape, y[0])
	}
	v, err := m.bound(i, e, shape)
	if err != nil {
		return err
	}
	for k, re := range y[0] {
		if e == onnx.Complex64 {
			x := onnx.View[float32](v.Data)
			x[2*k], x[2*k+1] = float32(re), float32(y[1][k])
		} else {
			x := onnx.View[float64](v.Data)
			x[2*k], x[2*k+1] = re, y[1][k]
		}
	}
	return nil
}

// size is the only element of input i, which must be a size of at least least.
func (m *mover) size(i int, least int64) (int, error) {
	v, err := m.one(i)
	if err != nil {
		return 0, err
	}
	if v < least || v > 1<<30 {
		return 0, onnx.Invalidf("input %d: expected a size of %d or more, received %d", i, least, v)
	}
	return int(v), nil
}

// scalarDim is the only entry of integer input i as far as inference knows it.
func scalarDim(c *opdef.Infer, i int) onnx.Dim {
	if v, ok := c.Ints(i); ok && len(v) == 1 {
		return sizeDim(v[0])
	}
	return onnx.Unknown
}
