package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Range is start, start+delta, start+2*delta ... below limit. Opset 27 added float16 and bfloat16, which are computed in
// float32 as stash_type 1, the default, says; other stash types are not supported.
var opRange = opdef.Def{
	Type:  "Range",
	Infer: inferRange,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		run, ok := rangeRuns[c.Elem(0)]
		switch s := c.Node.Int("stash_type", 1); {
		case !ok:
			return opdef.Step{}, badElem(c.Elem(0))
		case s != 1 && formatOf(c.Elem(0)) != nil:
			return opdef.Step{}, onnx.Unsupportedf("stash_type %d is not supported", s)
		}
		return moveStep(c, opdef.Step{}, run), nil
	},
	Grad: opdef.NoGrad,
	Body: bodyRange,
}

var rangeRuns = map[onnx.ElemType]func(*mover) error{
	onnx.Float32:  func(m *mover) error { return runRange[float32](m) },
	onnx.Float64:  func(m *mover) error { return runRange[float64](m) },
	onnx.Int16:    func(m *mover) error { return runRange[int16](m) },
	onnx.Int32:    func(m *mover) error { return runRange[int32](m) },
	onnx.Int64:    func(m *mover) error { return runRange[int64](m) },
	onnx.Float16:  func(m *mover) error { return runRangeHalf(m, onnx.F16.Float32, onnx.NewF16) },
	onnx.BFloat16: func(m *mover) error { return runRangeHalf(m, onnx.BF16.Float32, onnx.NewBF16) },
}

func inferRange(c *opdef.Infer) error {
	e := c.Elem(0)
	c.Set(0, e, onnx.Unknown)
	for i := range 3 {
		if s, err := c.Shape(i); err == nil && len(s) > 1 {
			return onnx.Invalidf("input %d: expected a scalar, received %v", i, c.Ins[i])
		}
	}
	if e.IsFloat() {
		n, ok, err := rangeConst(c)
		if ok {
			c.Set(0, e, onnx.Dim{N: n})
		}
		return err
	}
	var v [3]onnx.Dim
	for i := range v {
		d, ok := rangeInt(c, i)
		if !ok {
			return nil
		}
		v[i] = d
	}
	switch {
	case isNumber(v[0], 0) && isNumber(v[2], 1) && v[1].Name != "":
		c.Set(0, e, v[1])
	case known(v[:]...):
		n, err := countInts(v[0].N, v[1].N, v[2].N)
		if err != nil {
			return err
		}
		c.Set(0, e, onnx.Dim{N: n})
		if n <= maxFollowed && isShapeInt(e) {
			list := make([]onnx.Dim, n)
			for i := range list {
				list[i] = onnx.Dim{N: v[0].N + int64(i)*v[2].N}
			}
			c.SetInts(0, list)
		}
	}
	return nil
}

// rangeInt is integer input i, of any integer type.
func rangeInt(c *opdef.Infer, i int) (onnx.Dim, bool) {
	if v, ok := c.Ints(i); ok && len(v) == 1 {
		return v[0], true
	}
	if t := c.Const(i); t != nil && t.Elem == onnx.Int16 && t.Len() == 1 {
		return onnx.Dim{N: int64(onnx.Data[int16](t)[0])}, true
	}
	return onnx.Dim{}, false
}

// rangeConst is the number of elements for constant floating-point inputs.
func rangeConst(c *opdef.Infer) (n int64, ok bool, err error) {
	var v [3]float64
	for i := range v {
		t := c.Const(i)
		if t == nil || t.Len() != 1 || !t.Elem.IsFloat() {
			return 0, false, nil
		}
		w, err := widened(t)
		if err != nil {
			return 0, false, err
		}
		v[i] = onnx.Data[float64](w)[0]
	}
	n, err = countFloats(v[0], v[1], v[2])
	return n, err == nil, err
}

func countInts(start, limit, delta int64) (int64, error) {
	var n uint64
	switch {
	case delta == 0:
		return 0, onnx.Invalidf("delta is 0")
	case delta > 0 && limit > start:
		n = (uint64(limit)-uint64(start)-1)/uint64(delta) + 1
	case delta < 0 && limit < start:
		n = (uint64(start)-uint64(limit)-1)/-uint64(delta) + 1
	}
	if n > math.MaxInt64 {
		return 0, onnx.Invalidf("a range of %d elements is too large", n)
	}
	return int64(n), nil
}

func countFloats(start, limit, delta float64) (int64, error) {
	n := math.Ceil((limit - start) / delta)
	switch {
	case delta == 0:
		return 0, onnx.Invalidf("delta is 0")
	case math.IsNaN(n) || n >= 0x1p62:
		return 0, onnx.Invalidf("the range from %v to %v by %v has no number of elements", start, limit, delta)
	}
	return int64(max(n, 0)), nil
}

// rangeOut is output 0 for n elements, after the inputs have been checked.
func rangeOut(m *mover, n int64) (opdef.View, error) {
	if int64(int(n)) != n {
		return opdef.View{}, onnx.Invalidf("a range of %d elements is too large", n)
	}
	to := m.take(1)
	to[0] = int(n)
	return m.bound(0, m.In[0].Elem, to)
}

// rangeInputs reads the three inputs.
func rangeInputs[T onnx.Number](m *mover) (v [3]T, err error) {
	for i := range v {
		if m.In[i].Elem != m.In[0].Elem || m.In[i].Len() != 1 {
			return v, onnx.Invalidf("input %d: expected 1 element of type %v, received shape %v of type %v", i, m.In[0].Elem, m.shape(i), m.In[i].Elem)
		}
		v[i] = opdef.Of[T](m.In[i])[0]
	}
	return v, nil
}

func runRange[T float32 | float64 | int16 | int32 | int64](m *mover) error {
	v, err := rangeInputs[T](m)
	if err != nil {
		return err
	}
	var n int64
	if m.In[0].Elem.IsFloat() {
		n, err = countFloats(float64(v[0]), float64(v[1]), float64(v[2]))
	} else {
		n, err = countInts(int64(v[0]), int64(v[1]), int64(v[2]))
	}
	if err != nil {
		return err
	}
	y, err := rangeOut(m, n)
	for i := range opdef.Of[T](y) {
		opdef.Of[T](y)[i] = v[0] + T(T(i)*v[2])
	}
	return err
}

func runRangeHalf[H onnx.F16 | onnx.BF16](m *mover, wide func(H) float32, narrow func(float32) H) error {
	v, err := rangeInputs[H](m)
	if err != nil {
		return err
	}
	start, limit, delta := wide(v[0]), wide(v[1]), wide(v[2])
	n, err := countFloats(float64(start), float64(limit), float64(delta))
	if err != nil {
		return err
	}
	y, err := rangeOut(m, n)
	for i := range opdef.Of[H](y) {
		opdef.Of[H](y)[i] = narrow(start + float32(float32(i)*delta))
	}
	return err
}

func bodyRange(c *opdef.Rewrite) error {
	b := recipe{c}
	e, start, delta := b.elem(0), b.in(0), b.in(2)
	limit, wide := b.in(1), onnx.Float32
	if e == onnx.Float16 || e == onnx.BFloat16 {
		var err error
		if wide, err = b.stash(1); err != nil {
			return err
		}
		start, limit, delta = b.cast(start, wide), b.cast(limit, wide), b.cast(delta, wide)
	} else if e == onnx.Float64 || e == onnx.Int64 || e == onnx.Int32 {
		wide = onnx.Float64 // the standard's float32 has too few bits for their counts
	}
	count := b.do("Relu", b.do("Ceil", b.do("Div", b.cast(b.do("Sub", limit, start), wide), b.cast(delta, wide))))
	s := recipe{&opdef.Rewrite{Builder: b.Sub("steps"), Node: c.Node}}
	s.Graph.Input("i", onnx.TensorOf(onnx.Int64))
	going := s.Graph.Input("going", onnx.TensorOf(onnx.Bool))
	at := s.Graph.Input("at", onnx.TensorOf(start.Type.Elem))
	s.Graph.Outputs = values{s.do("Identity", going), s.do("Add", at, delta), s.do("Identity", at)}
	loop := b.Builder.Node("", "Loop", 2, values{b.cast(count, onnx.Int64), b.cast(count, onnx.Bool), start}, onnx.GraphAttr("body", s.Graph))
	return b.finish(b.cast(loop.Out(1), e))
}
