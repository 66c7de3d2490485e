package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// combine writes op(y, x) to y, element by element, over slices of one length.
type combine func(y, x []byte)

// combiner is the combination called name ("none", "add", "mul", "max", "min") for elements of type e. "none" is nil: a copy.
func combiner(name string, e onnx.ElemType) (combine, error) {
	switch name {
	case "none":
		return nil, nil
	case "add", "mul", "max", "min":
	default:
		return nil, onnx.Invalidf("unknown reduction %.128q", name)
	}
	switch e {
	case onnx.Float32:
		return combineReal[float32](name), nil
	case onnx.Float64:
		return combineReal[float64](name), nil
	case onnx.Int8:
		return combineReal[int8](name), nil
	case onnx.Int16:
		return combineReal[int16](name), nil
	case onnx.Int32:
		return combineReal[int32](name), nil
	case onnx.Int64:
		return combineReal[int64](name), nil
	case onnx.Uint8:
		return combineReal[uint8](name), nil
	case onnx.Uint16:
		return combineReal[uint16](name), nil
	case onnx.Uint32:
		return combineReal[uint32](name), nil
	case onnx.Uint64:
		return combineReal[uint64](name), nil
	case onnx.Float16:
		return combineHalf(name, onnx.F16.Float32, onnx.NewF16), nil
	case onnx.BFloat16:
		return combineHalf(name, onnx.BF16.Float32, onnx.NewBF16), nil
	case onnx.Bool:
		return combineBool(name), nil
	}
	return nil, onnx.Unsupportedf("reduction %q of %v is not supported", name, e)
}

// pairwise is the combination of two numbers; the larger and the smaller of a NaN is NaN.
func pairwise[T real](name string) func(a, b T) T {
	switch name {
	case "add":
		return func(a, b T) T { return a + b }
	case "mul":
		return func(a, b T) T { return a * b }
	case "max":
		return func(a, b T) T { return max(a, b) }
	}
	return func(a, b T) T { return min(a, b) }
}

func combineReal[T real](name string) combine {
	if name == "add" {
		return func(y, x []byte) {
			a, b := onnx.View[T](y), onnx.View[T](x)
			for i, v := range b {
				a[i] += v
			}
		}
	}
	f := pairwise[T](name)
	return func(y, x []byte) {
		a, b := onnx.View[T](y), onnx.View[T](x)
		for i, v := range b {
			a[i] = f(a[i], v)
		}
	}
}

func combineHalf[H onnx.F16 | onnx.BF16](name string, wide func(H) float32, narrow func(float32) H) combine {
	f := pairwise[float32](name)
	return func(y, x []byte) {
		a, b := onnx.View[H](y), onnx.View[H](x)
		for i, v := range b {
			a[i] = narrow(f(wide(a[i]), wide(v)))
		}
	}
}

// combineBool takes addition and maximum as or, multiplication and minimum as and.
func combineBool(name string) combine {
	or := name == "add" || name == "max"
	return func(y, x []byte) {
		for i, v := range x {
			if or {
				y[i] |= v
			} else {
				y[i] &= v
			}
		}
	}
}

// put combines n elements of x from s on into those of y from d on; a nil f copies them.
func (f combine) put(y array, d int, x array, s, n int) {
	if f == nil {
		y.from(d, x, s, n)
		return
	}
	f(y.b[d*y.size:(d+n)*y.size], x.b[s*x.size:(s+n)*x.size])
}

// gradSum is the addition of gradients of type e.
func gradSum(e onnx.ElemType) (combine, error) {
	if !e.IsFloat() {
		return nil, badElem(e)
	}
	return combiner("add", e)
}

// summing is the Compile of a gradient operator that adds elements of input dy up into an output like input 0, which has no
// other use. run is given the addition and the output, cleared.
func summing(dy int, run func(m *mover, add combine, dx, dy array) error) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		add, err := gradSum(c.Elem(dy))
		if err != nil {
			return opdef.Step{}, err
		}
		return moveStep(c, opdef.Step{ShapeOnly: []int{0}}, func(m *mover) error {
			y, err := m.elements(dy)
			if err != nil {
				return err
			}
			x, err := m.output(0, m.In[dy].Elem, m.shape(0))
			if err != nil {
				return err
			}
			clear(x.b)
			return run(m, add, x, y)
		}), nil
	}
}
