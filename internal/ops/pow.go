package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Pow: Z = X to the power of Y with broadcasting, in the type of X. Integers to whole powers wrap; to a negative whole power
// they are 0, save 1 and -1 (and 0, an error). Integers to other powers are cut toward zero.
//
// Opset 7: numpy broadcasting instead of the attributes broadcast and axis. 12: X and Y may differ in type. 13, 15: types.
var opPow = opdef.Def{
	Type:    "Pow",
	Infer:   inferPow,
	Compile: compilePow,
	Upgrade: upgradeBroadcast,
	Grad:    gradPow,
}

func inferPow(c *opdef.Infer) error { return c.SetBroadcast(0, c.Elem(0), 0, 1) }

// gradPow is dx = dy * y * x^(y-1), and 0 where y is 0; dY = dy * z * log(x), and 0 where x is 0 and Y is not negative.
func gradPow(c *opdef.Grad) error {
	f := formula{c}
	x, y, zero := c.In(0), c.In(1), f.num(0)
	if y.Type.Elem != x.Type.Elem {
		y = f.one("Cast", y, onnx.Int("to", int64(x.Type.Elem)))
	}
	if c.Needs(0) {
		d := f.mul(y, f.test("Pow", x, f.sub(y, f.num(1))))
		d = f.where(f.test("Equal", y, zero), zero, f.mul(c.DY(0), d))
		c.SetDX(0, sumTo(c, d, c.In(0)))
	}
	if c.Needs(1) {
		flat := f.test("And", f.test("Equal", x, zero), f.test("GreaterOrEqual", y, zero))
		d := f.where(flat, zero, f.mul(c.DY(0), f.mul(c.Y(0), f.one("Log", x))))
		if d = sumTo(c, d, c.In(1)); c.In(1).Type.Elem != x.Type.Elem {
			d = f.one("Cast", d, onnx.Int("to", int64(c.In(1).Type.Elem)))
		}
		c.SetDX(1, d)
	}
	return nil
}

func compilePow(c *opdef.Compile) (opdef.Step, error) {
	exponent, err := exponentOf(c.Elem(1))
	if err != nil {
		return opdef.Step{}, err
	}
	whole := c.Elem(1).IsInteger()
	switch e := c.Elem(0); e {
	case onnx.Float32:
		return powStep(nil, exponent, powFloats[float32]), nil
	case onnx.Float64:
		return powStep(nil, exponent, powFloats[float64]), nil
	case onnx.Float16, onnx.BFloat16:
		return powStep(formatOf(e), exponent, powFloats[float32]), nil
	case onnx.Int32:
		return powStep(nil, exponent, powIntegers[int32](whole)), nil
	case onnx.Int64:
		return powStep(nil, exponent, powIntegers[int64](whole)), nil
	default:
		return opdef.Step{}, badElem(e)
	}
}

// exponents reads exponents of any type as float64, and as int64 where they are integers.
type exponents interface {
	open(v *opdef.View, out []int)
	read(f []float64, i []int64, lo int)
}

func exponentOf(e onnx.ElemType) (func() exponents, error) {
	switch e {
	case onnx.Float32:
		return newExponents[float32](nil), nil
	case onnx.Float64:
		return newExponents[float64](nil), nil
	case onnx.Float16, onnx.BFloat16:
		return newExponents[float32](formatOf(e)), nil
	case onnx.Int64:
		return newExponents[int64](nil), nil
	case onnx.Int32:
		return newExponents[int32](nil), nil
	case onnx.Int16:
		return newExponents[int16](nil), nil
	case onnx.Int8:
		return newExponents[int8](nil), nil
	case onnx.Uint64:
		return newExponents[uint64](nil), nil
	case onnx.Uint32:
		return newExponents[uint32](nil), nil
	case onnx.Uint16:
		return newExponents[uint16](nil), nil
	case onnx.Uint8:
		return newExponents[uint8](nil), nil
	}
	return nil, badElem(e)
}

type exponentsOf[T real] struct {
	source[T]
	buf []T
	raw []uint16
}

func newExponents[T real](half *format) func() exponents {
	return func() exponents {
		return &exponentsOf[T]{source: newSource[T](half), buf: make([]T, chunkSize), raw: make([]uint16, chunkSize)}
	}
}

func (e *exponentsOf[T]) open(v *opdef.View, out []int) { open(&e.source, v, out) }

func (e *exponentsOf[T]) read(f []float64, i []int64, lo int) {
	for k, v := range e.source.read(e.buf[:len(f)], e.raw, lo) {
		f[k], i[k] = float64(v), int64(v)
	}
}

// power is the state of a Pow step. It runs on one thread.
type power[T real] struct {
	x        pointwise[T, T] // of one input
	exponent exponents
	f        []float64
	i        []int64
	lo       int // where the part begins that is being computed
	kernel   powKernel[T]
	err      error
}

type powKernel[T real] func(y, x []T, f []float64, i []int64) error

func powStep[T real](half *format, exponent func() exponents, kernel powKernel[T]) opdef.Step {
	return opdef.Step{
		Alias: aliases(1),
		State: func() any {
			p := &power[T]{exponent: exponent(), f: make([]float64, chunkSize), i: make([]int64, chunkSize), kernel: kernel}
			p.x = *newPointwise(1, p.part)
			p.x.setHalf(half)
			p.x.addWorkers(1)
			return p
		},
		Run: func(r *opdef.Run) error { return r.State.(*power[T]).run(r) },
	}
}

func (p *power[T]) run(r *opdef.Run) error {
	p.exponent.open(&r.In[1], r.Out[0].Shape)
	n := p.x.bind(r)
	p.err = nil
	for p.lo = 0; p.lo < n; p.lo += chunkSize {
		p.x.part(&p.x.workers[0], p.lo, min(p.lo+chunkSize, n))
	}
	return p.err
}

func (p *power[T]) part(y []T, x [][]T) {
	n := len(y)
	p.exponent.read(p.f[:n], p.i[:n], p.lo)
	if err := p.kernel(y, x[0], p.f[:n], p.i[:n]); p.err == nil {
		p.err = err
	}
}

func powFloats[T float](y, x []T, f []float64, _ []int64) error {
	for k, v := range x {
		switch e := f[k]; e {
		case 2:
			y[k] = v * v
		default:
			y[k] = T(math.Pow(float64(v), e))
		}
	}
	return nil
}

func powIntegers[T int32 | int64](whole bool) powKernel[T] {
	return func(y, x []T, f []float64, i []int64) (err error) {
		for k, v := range x {
			if !whole {
				y[k] = T(truncate(math.Pow(float64(v), f[k])))
				continue
			}
			if v == 0 && i[k] < 0 {
				return onnx.Invalidf("0 to the negative power %d", i[k])
			}
			y[k] = powInteger(v, i[k])
		}
		return nil
	}
}

// powInteger wraps, and cuts what is not whole toward zero.
func powInteger[T int32 | int64](v T, e int64) T {
	if e < 0 {
		switch v {
		case 1:
			return 1
		case -1:
			return 1 - 2*T(e&1)
		}
		return 0
	}
	y := T(1)
	for ; e > 0; e >>= 1 {
		if e&1 != 0 {
			y *= v
		}
		v *= v
	}
	return y
}
