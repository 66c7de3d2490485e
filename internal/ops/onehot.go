package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// OneHot inserts an axis of size depth that holds values[1] at the index and values[0] elsewhere; everywhere where the index
// is outside [-depth, depth-1]. Opset 11 allowed negative indices, 28 more types.
var opOneHot = opdef.Def{
	Type:    "OneHot",
	Infer:   inferOneHot,
	Compile: compileOneHot,
	Grad:    gradOneHot,
}

func inferOneHot(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(2), err)
	}
	axis, err := opdef.Axis(c.Node.Int("axis", -1), len(x)+1)
	if err != nil {
		return err
	}
	depth := onnx.Unknown
	if v, ok := c.Ints(1); ok && len(v) == 1 {
		if depth, err = fits(v[0], v[0]); err != nil {
			return err
		}
	} else if t := c.Const(1); t != nil && t.Len() == 1 {
		if depth.N, err = depthOf(t); err != nil {
			return err
		}
	}
	out := append(append(append([]onnx.Dim{}, x[:axis]...), depth), x[axis:]...)
	c.Set(0, c.Elem(2), out...)
	return nil
}

// depthOf is a number of any type as a size.
func depthOf(t *onnx.Tensor) (int64, error) {
	conv, err := newConversion(t.Elem, onnx.Int64, float8{})
	if err != nil {
		return 0, err
	}
	y := onnx.Scalar[int64](0)
	if err := conv.run(new(wide), array{size: 8, b: y.Mutable()}, spreadTensor(t)); err != nil {
		return 0, err
	}
	d := onnx.Data[int64](y)[0]
	if d < 0 {
		return 0, onnx.Invalidf("depth is %d", d)
	}
	return d, nil
}

func compileOneHot(c *opdef.Compile) (opdef.Step, error) {
	index, err := newConversion(c.Elem(0), onnx.Int64, float8{})
	if err != nil {
		return opdef.Step{}, err
	}
	depth, err := newConversion(c.Elem(1), onnx.Int64, float8{})
	if err != nil {
		return opdef.Step{}, err
	}
	return moveStep(c, opdef.Step{}, func(m *mover) error { return runOneHot(m, index, depth) }), nil
}

// int64s is the elements of input i as int64.
func (m *mover) int64s(i int, conv *conversion) ([]int64, error) {
	x, err := m.elements(i)
	if err != nil {
		return nil, err
	}
	if err := m.charge(x.len(), 8); err != nil {
		return nil, err
	}
	y := array{size: 8, b: onnx.Bytes(8 * x.len())}
	if conv.from == conv.to {
		return onnx.View[int64](x.b), nil
	}
	return onnx.View[int64](y.b), conv.run(new(wide), y, x)
}

func runOneHot(m *mover, index, depth *conversion) error {
	d, err := m.int64s(1, depth)
	if err != nil {
		return err
	}
	if len(d) != 1 || d[0] < 0 || int64(int(d[0])) != d[0] {
		return onnx.Invalidf("depth: expected 1 size, received %v", append([]int64(nil), d...))
	}
	shape := m.shape(0)
	axis, err := opdef.Axis(m.Node.Int("axis", -1), len(shape)+1)
	if err != nil {
		return err
	}
	at, err := m.int64s(0, index)
	if err != nil {
		return err
	}
	values, err := m.elements(2)
	if err != nil {
		return err
	}
	if values.len() != 2 {
		return onnx.Invalidf("values: expected 2 elements, received shape %v", m.shape(2))
	}
	n := int(d[0])
	to := append(append(append(m.take(len(shape) + 1)[:0], shape[:axis]...), n), shape[axis:]...)
	y, err := m.output(0, m.In[2].Elem, to)
	if err != nil {
		return err
	}
	y.fill(values)
	inner := product(shape[axis:])
	for i, k := range at {
		if k < 0 {
			k += int64(n)
		}
		if k >= 0 && k < int64(n) {
			y.from((i/inner*n+int(k))*inner+i%inner, values, 1, 1)
		}
	}
	return nil
}

// gradOneHot adds up dy where the index is and elsewhere.
func gradOneHot(c *opdef.Grad) error {
	if !c.Needs(2) {
		return nil
	}
	f := formula{c}
	dy := c.DY(0)
	pair := c.Op("Concat", values{reshape1(c.Builder, number(c.Builder, dy, 0)), reshape1(c.Builder, number(c.Builder, dy, 1))}, onnx.Int("axis", 0))
	hot := c.Op("OneHot", values{c.In(0), c.In(1), pair}, onnx.Int("axis", c.Node.Int("axis", -1)))
	sum := func(v *onnx.Value) *onnx.Value {
		return reshape1(c.Builder, c.Op("ReduceSum", values{v}, onnx.Int("keepdims", 0)))
	}
	cold := f.sub(number(c.Builder, dy, 1), hot)
	c.SetDX(2, c.Op("Concat", values{sum(f.mul(dy, cold)), sum(f.mul(dy, hot))}, onnx.Int("axis", 0)))
	return nil
}

// reshape1 emits v as a list.
func reshape1(b *onnx.Builder, v *onnx.Value) *onnx.Value {
	return b.Op("Reshape", values{v, b.Const(onnx.Vector[int64](-1))})
}
