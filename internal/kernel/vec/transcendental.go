package vec

// Function names a function of one number.
type Function uint8

// The functions.
const (
	ExpOf     Function = iota
	SigmoidOf          // 1 / (1 + e^-x)
	SwishOf            // x / (1 + e^(-alpha·x))
	TanhOf
	GeluOf     // x times the normal distribution function of x
	GeluTanhOf // its approximation by a tanh
	ErfOf
)

// functionKernel fills y from x; the constants are those of narrow.
type functionKernel = func(y, x []float32)

var genericFunctions = [...]functionKernel{
	ExpOf: each(exp), SigmoidOf: each(sigmoid), SwishOf: each(silu), TanhOf: each(tanh), GeluOf: each(gelu),
	GeluTanhOf: each(geluTanh), ErfOf: each(erf),
}

var scalars = [...]func(float32) float32{
	ExpOf: exp, SigmoidOf: sigmoid, SwishOf: silu, TanhOf: tanh, GeluOf: gelu, GeluTanhOf: geluTanh, ErfOf: erf,
}

func each(f func(float32) float32) functionKernel {
	return func(y, x []float32) {
		for i, v := range x[:len(y)] {
			y[i] = f(v)
		}
	}
}

// Of is the kernel of a function; alpha counts for SwishOf only.
func (t *Table) Of(f Function, alpha float64) func(y []float32, x [][]float32) {
	if f != SwishOf || alpha == 1 {
		return single(t.functions[f])
	}
	c := withAlpha(alpha)
	return single(func(y, x []float32) { t.swish(y, x, c) })
}

// Kernel is y = f(x) with alpha 1; y may be x.
func (t *Table) Kernel(f Function) func(y, x []float32) { return t.functions[f] }

// Exp is y = e^x; y may be x.
func (t *Table) Exp(y, x []float32) { t.functions[ExpOf](y, x) }

// Scalar is a function, with alpha 1, whose results for float32 are those of the kernels.
func Scalar(f Function) func(float64) float64 {
	return func(x float64) float64 { return float64(scalars[f](float32(x))) }
}
