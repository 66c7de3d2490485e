package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// inferReduce is the Infer of the Reduce operators. f, when not nil, reduces the entries of a known list.
func inferReduce(f func(a, b onnx.Dim) onnx.Dim) func(*opdef.Infer) error {
	return func(c *opdef.Infer) error {
		x, err := c.Shape(0)
		if err != nil {
			c.SetUnranked(0, c.Elem(0))
			return err
		}
		axes, ok := axesOf(c, 1)
		if !ok {
			return inferUnknownAxes(c, len(x))
		}
		mask, err := reduceMask(nil, c.Node, axes, len(x))
		if err != nil {
			return err
		}
		c.Set(0, c.Elem(0), reducedShape(x, mask, c.Node.Int("keepdims", 1) != 0, onnx.Fixed(1))...)
		if v, ok := c.Ints(0); ok && f != nil && len(v) > 0 && len(mask) == 1 && mask[0] {
			for _, d := range v[1:] {
				v = []onnx.Dim{f(v[0], d)}
			}
			c.SetInts(0, v[:1])
		}
		return nil
	}
}

// inferUnknownAxes sets the rank where it does not depend on which axes they are.
func inferUnknownAxes(c *opdef.Infer, rank int) error {
	n, ok := lengthOf(c, 1)
	switch {
	case c.Node.Int("keepdims", 1) != 0:
		n = 0
	case !ok || n == 0 || n > rank:
		c.SetUnranked(0, c.Elem(0))
		return opdef.ErrNoRank
	}
	c.Set(0, c.Elem(0), unknownDims(rank-n)...)
	return nil
}

// reduceMask marks the axes that a Reduce operator reduces, in mask's memory if that is large enough.
func reduceMask(mask []bool, n *onnx.Node, axes []int64, rank int) ([]bool, error) {
	if cap(mask) < rank {
		mask = make([]bool, rank)
	}
	mask = mask[:rank]
	all := len(axes) == 0 && n.Int("noop_with_empty_axes", 0) == 0
	for i := range mask {
		mask[i] = all
	}
	for _, a := range axes {
		i, err := opdef.Axis(a, rank)
		if err != nil {
			return nil, err
		}
		mask[i] = true
	}
	return mask, nil
}

// reducedShape is shape without the marked axes, or with one in their place.
func reducedShape[D any](shape []D, mask []bool, keep bool, one D) []D {
	var out []D
	for i, d := range shape {
		switch {
		case !mask[i]:
			out = append(out, d)
		case keep:
			out = append(out, one)
		}
	}
	return out
}

// axesToInput moves the attribute axes to input 1, for versions before since.
func axesToInput(since int) func(*opdef.Rewrite) error {
	return func(c *opdef.Rewrite) error {
		if c.Version >= since {
			return nil
		}
		if v, _ := c.Node.Ints("axes"); len(v) == 0 {
			c.Node.DropAttr("axes")
		}
		intsToInput(c, "axes", 1)
		return c.Err()
	}
}

// reducer is the state of a Reduce step.
type reducer[T real] struct {
	reduction[T]
	mask []bool
}

// reduceStep is the step of a Reduce operator: what op makes of the numbers, and post of that.
func reduceStep[T real](op reduce.Op, post func(v T, count int) T, codec *codec[T]) opdef.Step {
	return reducing(reduction[T]{op: op, post: post, codec: codec})
}

// logSumExpStep is the step of log(sum(exp(x))).
func logSumExpStep[T real](codec *codec[T]) opdef.Step {
	return reducing(reduction[T]{exp: true, codec: codec})
}

func reducing[T real](proto reduction[T]) opdef.Step {
	return opdef.Step{
		State: func() any { return &reducer[T]{reduction: proto} },
		Run: func(r *opdef.Run) (err error) {
			t := r.State.(*reducer[T])
			if t.mask, err = reduceMask(t.mask, r.Node, axesIn(r), len(r.In[0].Shape)); err != nil {
				return err
			}
			t.bind(r, &r.In[0], &r.Out[0], func(i int) bool { return t.mask[i] })
			t.run(r)
			return nil
		},
	}
}

// axesIn is the axes that a Reduce operator has as its input 1.
func axesIn(r *opdef.Run) []int64 {
	if !r.Has(1) {
		return nil
	}
	return opdef.Of[int64](r.In[1])
}

// reduceFloats compiles a reduction of floating-point numbers; nil when the type is another.
func reduceFloats(
	c *opdef.Compile, op reduce.Op, f32 func(float32, int) float32, f64 func(float64, int) float64,
) (s opdef.Step, ok bool) {
	switch e := c.Elem(0); e {
	case onnx.Float32:
		return reduceStep(op, f32, nil), true
	case onnx.Float64:
		return reduceStep(op, f64, nil), true
	case onnx.Float16, onnx.BFloat16:
		return reduceStep(op, f32, halfCodec(e)), true
	}
	return s, false
}

// reduceNumbers compiles a reduction of numbers in their own type.
func reduceNumbers(op reduce.Op) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		if s, ok := reduceFloats(c, op, nil, nil); ok {
			return s, nil
		}
		switch e := c.Elem(0); e {
		case onnx.Int64:
			return reduceStep[int64](op, nil, nil), nil
		case onnx.Int32:
			return reduceStep[int32](op, nil, nil), nil
		case onnx.Int16:
			return reduceStep[int16](op, nil, nil), nil
		case onnx.Int8:
			return reduceStep[int8](op, nil, nil), nil
		case onnx.Uint64:
			return reduceStep[uint64](op, nil, nil), nil
		case onnx.Uint32:
			return reduceStep[uint32](op, nil, nil), nil
		case onnx.Uint16:
			return reduceStep[uint16](op, nil, nil), nil
		case onnx.Uint8:
			return reduceStep[uint8](op, nil, nil), nil
		case onnx.Bool: // stored as 0 and 1
			return reduceStep(op, func(v uint8, _ int) uint8 { return min(v, 1) }, nil), nil
		default:
			return opdef.Step{}, badElem(e)
		}
	}
}

// reduceWide compiles a reduction whose result for integers is computed in float64 and cut toward zero.
func reduceWide(op reduce.Op, f32 func(float32, int) float32, f64 func(float64, int) float64) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		if s, ok := reduceFloats(c, op, f32, f64); ok {
			return s, nil
		}
		if codec := wholeCodecOf(c.Elem(0)); codec != nil {
			return reduceStep(op, f64, codec), nil
		}
		return opdef.Step{}, badElem(c.Elem(0))
	}
}

// wholeCodecOf is the wholeCodec of e; nil if e is not an integer type.
func wholeCodecOf(e onnx.ElemType) *codec[float64] {
	switch e {
	case onnx.Int64:
		return wholeCodec[int64]()
	case onnx.Int32:
		return wholeCodec[int32]()
	case onnx.Int16:
		return wholeCodec[int16]()
	case onnx.Int8:
		return wholeCodec[int8]()
	case onnx.Uint64:
		return wholeCodec[uint64]()
	case onnx.Uint32:
		return wholeCodec[uint32]()
	case onnx.Uint16:
		return wholeCodec[uint16]()
	case onnx.Uint8:
		return wholeCodec[uint8]()
	}
	return nil
}

// unreduce emits v, a result of the Reduce operator c.Node, repeated along the axes that were reduced.
func unreduce(c *opdef.Grad, v *onnx.Value) *onnx.Value {
	n := c.Node
	in := values{v, n.In(0)}
	if n.In(1) != nil {
		in = append(in, n.In(1))
	}
	return c.Private("Unreduce", in, reduceAttrs(n)...)
}

func reduceAttrs(n *onnx.Node) []onnx.Attribute {
	keep, noop := n.Int("keepdims", 1), n.Int("noop_with_empty_axes", 0)
	return []onnx.Attribute{onnx.Int("keepdims", keep), onnx.Int("noop_with_empty_axes", noop)}
}

// again emits a Reduce operator of x over the axes of c.Node.
func again(c *opdef.Grad, op string, x *onnx.Value) *onnx.Value {
	in := values{x}
	if a := c.In(1); a != nil {
		in = append(in, a)
	}
	return c.Op(op, in, reduceAttrs(c.Node)...)
}

// spreading is the Grad of a Reduce operator with dx = d, where up repeats a result along the reduced axes.
func spreading(d func(f formula, x, y, dy *onnx.Value, up func(*onnx.Value) *onnx.Value) *onnx.Value) func(*opdef.Grad) error {
	return func(c *opdef.Grad) error {
		c.SetDX(0, d(formula{c}, c.In(0), c.Y(0), c.DY(0), func(v *onnx.Value) *onnx.Value { return unreduce(c, v) }))
		return nil
	}
}

// gradReduceExtreme is the Grad of ReduceMax and ReduceMin: the elements that equal the result share its gradient equally.
func gradReduceExtreme(c *opdef.Grad) error {
	f := formula{c}
	hit := f.test("Equal", c.In(0), unreduce(c, c.Y(0)))
	count := again(c, "ReduceSum", f.where(hit, f.num(1), f.num(0)))
	c.SetDX(0, f.where(hit, unreduce(c, f.div(c.DY(0), count)), f.num(0)))
	return nil
}
