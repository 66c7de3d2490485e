package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// array is the elements of a tensor that are moved and not computed with: size bytes each, or strings. Elements of packed
// types lie in a byte each, in the low bits.
type array struct {
	size int // bytes per element; 0 for strings
	b    []byte
	s    []string
}

func (a array) len() int {
	if a.size == 0 {
		return len(a.s)
	}
	return len(a.b) / a.size
}

// from copies n elements of x from s on to a from d on.
func (a array) from(d int, x array, s, n int) {
	if a.size == 0 {
		copy(a.s[d:d+n], x.s[s:s+n])
		return
	}
	copy(a.b[d*a.size:(d+n)*a.size], x.b[s*a.size:(s+n)*a.size])
}

// cut is n elements of a from d on.
func (a array) cut(d, n int) array {
	if a.size == 0 {
		return array{s: a.s[d : d+n]}
	}
	return array{size: a.size, b: a.b[d*a.size : (d+n)*a.size]}
}

// fill sets every element to the first one of v; an empty v means zero, or the empty string.
func (a array) fill(v array) {
	switch {
	case v.len() == 0:
		clear(a.b)
		clear(a.s)
	case a.len() > 0:
		a.from(0, v, 0, 1)
		for n := 1; n < a.len(); n *= 2 {
			a.from(n, a, 0, min(n, a.len()-n))
		}
	}
}

// same reports whether both start at the same element of memory, so that nothing needs to be copied.
func (a array) same(x array) bool {
	return len(a.b) > 0 && len(x.b) > 0 && &a.b[0] == &x.b[0]
}

// mover is what a step that moves elements keeps from run to run, so that a run allocates nothing. Memory that it makes for
// a run (packed types spread to bytes, strings) is charged and given back.
type mover struct {
	*opdef.Run
	ints    []int
	used    int
	charged int64
	late    []lateOut
	odo     odometer
	share   shared
}

// lateOut is an output that is finished when the step has run: strings, and packed types.
type lateOut struct {
	i int
	a array
	v opdef.View
}

// moving is the Compile of an operator that moves elements and has nothing to decide.
func moving(run func(*mover) error) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) { return moveStep(c, opdef.Step{}, run), nil }
}

// moveStep completes s by run.
func moveStep(c *opdef.Compile, s opdef.Step, run func(*mover) error) opdef.Step {
	for i := range c.Node.NumOut() {
		s.Data = s.Data || c.OutElem(i) == onnx.String
	}
	s.State = func() any { return new(mover) }
	s.Run = func(r *opdef.Run) error {
		m := r.State.(*mover)
		m.Run, m.used, m.late = r, 0, m.late[:0]
		err := run(m)
		return m.end(err)
	}
	return s
}

// take is n integers, zero, that are valid until the run ends.
func (m *mover) take(n int) []int {
	if m.used+n > len(m.ints) {
		m.ints, m.used = make([]int, 2*(m.used+n)+16), 0
	}
	s := m.ints[m.used : m.used+n : m.used+n]
	m.used += n
	clear(s)
	return s
}

// clone is a copy of s that is valid until the run ends.
func (m *mover) clone(s []int) []int {
	t := m.take(len(s))
	copy(t, s)
	return t
}

// charge pays for memory until the run ends.
func (m *mover) charge(n, size int) error {
	bytes, ok := onnx.MulSize(n, size)
	if !ok {
		return onnx.Invalidf("%d elements of %d bytes do not fit into memory", n, size)
	}
	if err := m.Host.Memory(int64(bytes)); err != nil {
		return err
	}
	m.charged += int64(bytes)
	return nil
}

// shape is the shape of input i.
func (m *mover) shape(i int) []int { return m.In[i].Shape }

// elements is the elements of input i. Elements of packed types are copies.
func (m *mover) elements(i int) (array, error) {
	v := m.In[i]
	switch {
	case v.Elem == onnx.String:
		return array{s: v.Strings()}, nil
	case !v.Elem.Packed():
		return array{size: v.Elem.Size(), b: v.Data}, nil
	}
	n := v.Len()
	if err := m.charge(n, 1); err != nil {
		return array{}, err
	}
	a := array{size: 1, b: onnx.Bytes(n)}
	spread(a.b, v.Data, v.Elem.Bits())
	return a, nil
}

// output makes the elements of output i, whose shape has just been computed, ready to be written: in the buffer that the
// executor has bound, where it has one of that shape.
func (m *mover) output(i int, e onnx.ElemType, shape []int) (array, error) {
	n, ok := onnx.NumElements(shape)
	if !ok {
		return array{}, onnx.Invalidf("output shape %v is too large", slices.Clone(shape))
	}
	if e == onnx.String {
		if err := m.charge(n, 16); err != nil {
			return array{}, err
		}
		a := array{s: make([]string, n)}
		m.late = append(m.late, lateOut{i: i, a: a, v: opdef.View{Elem: e, Shape: slices.Clone(shape), Box: a.s}})
		return a, nil
	}
	v, err := m.bound(i, e, shape)
	if err != nil || !e.Packed() {
		return array{size: e.Size(), b: v.Data}, err
	}
	if err := m.charge(n, 1); err != nil {
		return array{}, err
	}
	a := array{size: 1, b: onnx.Bytes(n)}
	m.late = append(m.late, lateOut{i: i, a: a, v: v})
	return a, nil
}

// bound is the buffer of output i: the one that the executor has bound when that has the shape, else a new one.
func (m *mover) bound(i int, e onnx.ElemType, shape []int) (opdef.View, error) {
	return boundOut(m.Run, i, e, shape)
}

func boundOut(r *opdef.Run, i int, e onnx.ElemType, shape []int) (opdef.View, error) {
	n, ok := onnx.NumElements(shape)
	bytes, ok2 := e.NumBytes(n)
	if !ok || !ok2 {
		return opdef.View{}, onnx.Invalidf("output shape %v is too large", slices.Clone(shape))
	}
	if v := r.Out[i]; v.Elem == e && slices.Equal(v.Shape, shape) && len(v.Data) == bytes {
		return v, nil
	}
	return r.Alloc(i, e, slices.Clone(shape)...)
}

// end finishes the late outputs and gives memory back.
func (m *mover) end(err error) error {
	for _, l := range m.late {
		if err != nil {
			break
		}
		if l.v.Elem == onnx.String {
			m.SetBox(l.i, l.v)
			continue
		}
		pack(l.v.Data, l.a.b, l.v.Elem.Bits())
	}
	if m.charged > 0 {
		if e := m.Host.Memory(-m.charged); err == nil {
			err = e
		}
	}
	clear(m.late)
	m.charged, m.Run = 0, nil
	return err
}

// spread writes the len(dst) elements of a packed type, low bits first, to a byte each.
func spread(dst, src []byte, bits int) {
	mask := byte(1<<bits - 1)
	for i := range dst {
		at := i * bits
		v := uint16(src[at/8]) >> (at % 8)
		if at%8+bits > 8 {
			v |= uint16(src[at/8+1]) << (8 - at%8)
		}
		dst[i] = byte(v) & mask
	}
}

// pack is the inverse of spread.
func pack(dst, src []byte, bits int) {
	clear(dst)
	mask := byte(1<<bits - 1)
	for i, v := range src {
		at := i * bits
		v &= mask
		dst[at/8] |= v << (at % 8)
		if at%8+bits > 8 {
			dst[at/8+1] |= v >> (8 - at%8)
		}
	}
}

// integers is the elements of an int32 or int64 tensor.
type integers struct {
	narrow []int32
	wide   []int64
}

// integersOf reads v; other element types are an error.
func integersOf(v opdef.View) (integers, error) {
	switch v.Elem {
	case onnx.Int32:
		return integers{narrow: opdef.Of[int32](v)}, nil
	case onnx.Int64:
		return integers{wide: opdef.Of[int64](v)}, nil
	}
	return integers{}, onnx.Invalidf("expected int32 or int64, received %v", v.Elem)
}

func (x integers) len() int { return len(x.narrow) + len(x.wide) }

func (x integers) at(i int) int64 {
	if x.narrow != nil {
		return int64(x.narrow[i])
	}
	return x.wide[i]
}

// index is element i as an index into n elements; negative ones count from the end.
func (x integers) index(i, n int) (int, error) {
	v := x.at(i)
	if v < -int64(n) || v >= int64(n) {
		return 0, onnx.Invalidf("index %d is out of range for %d elements", v, n)
	}
	if v < 0 {
		v += int64(n)
	}
	return int(v), nil
}

// list is the elements of input i, which must have rank 0 or 1.
func (m *mover) list(i int) (integers, error) {
	if r := len(m.In[i].Shape); r > 1 {
		return integers{}, onnx.Invalidf("input %d: expected rank 1, received rank %d", i, r)
	}
	return integersOf(m.In[i])
}

// one is the only element of integer input i.
func (m *mover) one(i int) (int64, error) {
	x, err := integersOf(m.In[i])
	if err != nil {
		return 0, err
	}
	if x.len() != 1 {
		return 0, onnx.Invalidf("input %d: expected 1 element, received %d", i, x.len())
	}
	return x.at(0), nil
}

// sizes turns non-negative elements into sizes.
func (m *mover) sizes(x integers) ([]int, error) {
	s := m.take(x.len())
	for i := range s {
		v := x.at(i)
		if v < 0 || int64(int(v)) != v {
			return nil, onnx.Invalidf("%d is not a size", v)
		}
		s[i] = int(v)
	}
	return s, nil
}
