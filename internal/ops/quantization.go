package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// quantizer is the state of QuantizeLinear and DequantizeLinear.
type quantizer struct {
	mover
	wide        wide
	scale, zero []float64
}

// widened reads elements of any number type as float64 into *to.
func (m *mover) widened(w *wide, to *[]float64, v opdef.View, x array) error {
	c, err := newConversion(v.Elem, onnx.Float64, float8{})
	if err != nil {
		return err
	}
	*to = sized(*to, x.len())
	return c.run(w, array{size: 8, b: onnx.BytesOf(*to)}, x)
}

// parameter reads a scale or zero point.
func (q *quantizer) parameter(i int, to *[]float64) error {
	if !q.Has(i) {
		*to = nil
		return nil
	}
	x, err := q.elements(i)
	if err != nil {
		return err
	}
	return q.widened(&q.wide, to, q.In[i], x)
}

// parts says which scale each element of a tensor has: element e has number
// e/outer·each + (e mod outer)/inner/block·inner + e mod inner, or with per-axis scales e/inner mod axis, or 0.
type parts struct {
	whole              bool // one scale for all
	inner, axis, block int  // elements behind the axis, size of the axis, elements of a block (0: per axis)
	blocks             int  // of the axis
}

// partsOf checks the shape of the scales of input 1 for a tensor of the given shape.
func partsOf(n *onnx.Node, shape, scale []int) (parts, error) {
	block := n.Int("block_size", 0)
	if product(scale) == 1 && len(scale) <= 1 && block == 0 {
		return parts{whole: true}, nil
	}
	axis, err := opdef.Axis(n.Int("axis", 1), len(shape))
	if err != nil {
		return parts{}, err
	}
	p := parts{inner: product(shape[axis+1:]), axis: shape[axis]}
	if block == 0 {
		if len(scale) != 1 || scale[0] != p.axis {
			return p, onnx.Invalidf("expected one scale for each of %d elements of axis %d, received shape %v", p.axis, axis, scale)
		}
		return p, nil
	}
	if block < 0 || block > math.MaxInt32 {
		return p, onnx.Invalidf("attribute block_size: expected at least 1, received %d", block)
	}
	p.block = int(block)
	p.blocks = (p.axis + p.block - 1) / p.block
	want := slices.Clone(shape)
	if want[axis] = p.blocks; !slices.Equal(want, scale) {
		return p, onnx.Invalidf("expected scales of shape %v for blocks of %d, received %v", want, block, scale)
	}
	return p, nil
}

// at is the number of the scale of element e.
func (p *parts) at(e int) int {
	if p.whole {
		return 0
	}
	row := e / p.inner
	if p.block == 0 {
		return row % p.axis
	}
	return (row/p.axis*p.blocks+row%p.axis/p.block)*p.inner + e%p.inner
}

// quantStep is a step of the pair: f turns the numbers of a chunk, whose first element has number lo, into results.
func quantStep(c *opdef.Compile, to onnx.ElemType, f func(q *quantizer, p *parts, lo int, v []float64)) (opdef.Step, error) {
	saturate := c.Node.Int("saturate", 1) != 0
	load, err := newConversion(c.Elem(0), onnx.Float64, float8{})
	if err != nil {
		return opdef.Step{}, err
	}
	if !to.Valid() || familyOf(to) != wideFloat && familyOf(to) != wideInt {
		return opdef.Step{}, badElem(to)
	}
	store := storer(to, float8{saturate: saturate, round: "up"})
	s := moveStep(c, opdef.Step{}, nil)
	s.State = func() any { return new(quantizer) }
	s.Run = func(r *opdef.Run) error {
		q := r.State.(*quantizer)
		q.Run, q.used, q.late = r, 0, q.late[:0]
		return q.end(q.run(load, store, to, f))
	}
	return s, nil
}

func (q *quantizer) run(load *conversion, store func([]byte, *wide, int), to onnx.ElemType, f func(q *quantizer, p *parts, lo int, v []float64)) error {
	p, err := partsOf(q.Node, q.shape(0), q.shape(1))
	if err != nil {
		return err
	}
	if q.Has(2) && !slices.Equal(q.shape(1), q.shape(2)) && product(q.shape(1))*product(q.shape(2)) != 1 {
		return onnx.Invalidf("zero points of shape %v do not fit scales of shape %v", q.shape(2), q.shape(1))
	}
	if err := q.parameter(1, &q.scale); err != nil {
		return err
	}
	if err := q.parameter(2, &q.zero); err != nil {
		return err
	}
	x, err := q.elements(0)
	if err != nil {
		return err
	}
	y, err := q.output(0, to, q.shape(0))
	if err != nil {
		return err
	}
	w, whole := &q.wide, familyOf(to) == wideInt
	for lo := 0; lo < x.len(); lo += chunk {
		n := min(chunk, x.len()-lo)
		load.load(w, x.cut(lo, n).b, n)
		if err := load.middle(w, n); err != nil {
			return err
		}
		f(q, &p, lo, w.f[:n])
		if whole {
			for i, v := range w.f[:n] {
				w.i[i] = int64(v)
			}
		}
		store(y.cut(lo, n).b, w, n)
	}
	return nil
}

// integerRange is the lowest and the highest number of an integer type of up to 32 bits.
func integerRange(e onnx.ElemType) (lo, hi float64) {
	bits := e.Bits()
	switch e {
	case onnx.Int2, onnx.Int4, onnx.Int8, onnx.Int16, onnx.Int32:
		return -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1) - 1
	}
	return 0, math.Ldexp(1, bits) - 1
}

// roundedTo rounds v to a floating-point type.
func roundedTo(e onnx.ElemType) func(v float64) float64 {
	switch e {
	case onnx.Float16:
		return func(v float64) float64 { return float64(onnx.NewF16(oddFloat32(v)).Float32()) }
	case onnx.BFloat16:
		return func(v float64) float64 { return float64(onnx.NewBF16(oddFloat32(v)).Float32()) }
	case onnx.Float64:
		return func(v float64) float64 { return v }
	}
	return func(v float64) float64 { return float64(float32(v)) }
}

// saturated rounds v to the nearest integer, halves to even, and cuts it to a range; NaN gives 0.
func saturated(v, lo, hi float64) float64 {
	if v != v {
		return min(max(0, lo), hi)
	}
	return min(max(v, lo), hi)
}
