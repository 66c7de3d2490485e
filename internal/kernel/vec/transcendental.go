package vec

import "math"

// The functions of this file compute in float64 and round once: the results are the nearest float32 or, seldom, the one beside
// it. No operation is fused, so that every tier gives the same bits. The polynomials interpolate at Chebyshev nodes.

// The places of the constants; internal/kernel/_asm has them in the same order.
const (
	cLog2E = iota
	cLn2
	cLow
	cHigh
	cOne
	cTwo
	cBias
	cAbs
	cSign
	cFar
	cHalf
	cAlpha
	cTanh1
	cTanh3
	cGeluCenter
	cErfCenter
	cExp
	cErfc = cExp + 7
	cErf  = cErfc + 13
	cEnd  = cErf + 8
)

const erfcCenter = 2.5

// constants is what the functions compute with.
var constants = [cEnd]float64{
	cLog2E: 1 / math.Ln2, cLn2: math.Ln2,
	// Beyond these 2 to the power of the exponent is 0 and infinity.
	cLow: -709.2, cHigh: 710,
	cOne: 1, cTwo: 2, cBias: 0x3FFp-1074, cAbs: 0, cSign: 0, cFar: 40, cHalf: 0.5, cAlpha: 1,
	cTanh1: 2 * 0.7978845608028654, cTanh3: 2 * 0.7978845608028654 * 0.044715, // 2·√(2/π)
	cGeluCenter: erfcCenter * math.Sqrt2, cErfCenter: erfcCenter,

	// (e^r - 1) / r for |r| up to ln(2)/2, error 2^-31.8.
	cExp + 0: 1, cExp + 1: 0.5000000047146053, cExp + 2: 0.16666666719028853, cExp + 3: 0.04166635277111764,
	cExp + 4: 0.008333298469793441, cExp + 5: 0.0013941118895878797, cExp + 6: 0.0001989928558698278,

	// e^(t·t)·erfc(t) by (t-2.5)/(t+2.5) for t from 0 to 10.6, error 2^-34.2.
	cErfc + 0: 0.2108063640606727, cErfc + 1: -0.37173673378061617, cErfc + 2: 0.2517131930686741,
	cErfc + 3: -0.1250330601487636, cErfc + 4: 0.03992254493152705, cErfc + 5: -0.003993594936368624,
	cErfc + 6: -0.002642416699012854, cErfc + 7: 0.0008752594856787557, cErfc + 8: 0.00022848487553346822,
	cErfc + 9: -0.0001267869223764503, cErfc + 10: -3.3844748044990456e-05, cErfc + 11: 1.5212201684180168e-05,
	cErfc + 12: 5.970429343932156e-06,

	// erf(x)/x by x·x for x from 0 to 1, error 2^-34.7.
	cErf + 0: 1.1283791670615433, cErf + 1: -0.3761263846802768, cErf + 2: 0.1128378249522472,
	cErf + 3: -0.02686543072706929, cErf + 4: 0.0052210318063600466, cErf + 5: -0.0008484080385708,
	cErf + 6: 0.00011265958892439332, cErf + 7: -9.667044214316726e-06,
}

// withAlpha is the constants for a factor; cAbs and cSign are masks.
func withAlpha(alpha float64) *[cEnd]float64 {
	c := constants
	c[cAbs], c[cSign], c[cAlpha] = math.Float64frombits(1<<63-1), math.Copysign(0, -1), alpha
	return &c
}

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

// Of is the kernel of a function; alpha counts for SwishOf only.
func (t *Table) Of(f Function, alpha float64) func(y []float32, x [][]float32) {
	c := withAlpha(alpha)
	kernel := t.functions[f]
	return single(func(y, x []float32) { kernel(y, x, c) })
}

var ones = withAlpha(1)

// Exp is y = e^x; y may be x.
func (t *Table) Exp(y, x []float32) { t.functions[ExpOf](y, x, ones) }

// functionKernel fills y from x; the constants are those of withAlpha.
type functionKernel = func(y, x []float32, c *[cEnd]float64)

var genericFunctions = [...]functionKernel{
	ExpOf: each(exp), SigmoidOf: each(sigmoid), SwishOf: each(swish), TanhOf: each(tanh), GeluOf: each(gelu),
	GeluTanhOf: each(geluTanh), ErfOf: each(erf),
}

var scalars = [...]func(x float64, c *[cEnd]float64) float64{
	ExpOf: exp, SigmoidOf: sigmoid, SwishOf: swish, TanhOf: tanh, GeluOf: gelu, GeluTanhOf: geluTanh, ErfOf: erf,
}

// Scalar is a function, with alpha 1, whose results rounded to float32 are those of the kernels.
func Scalar(f Function) func(float64) float64 {
	return func(x float64) float64 { return scalars[f](x, ones) }
}

// Kernel is y = f(x) with alpha 1; y may be x.
func (t *Table) Kernel(f Function) func(y, x []float32) {
	return func(y, x []float32) { t.functions[f](y, x, ones) }
}

func each(f func(x float64, c *[cEnd]float64) float64) functionKernel {
	return func(y, x []float32, c *[cEnd]float64) {
		for i, v := range x[:len(y)] {
			y[i] = float32(f(float64(v), c))
		}
	}
}

// poly is a polynomial in x with n coefficients.
func poly(c *[cEnd]float64, first, n int, x float64) float64 {
	p := c[first+n-1]
	for i := first + n - 2; i >= first; i-- {
		p = float64(p*x) + c[i]
	}
	return p
}

// split is e^z as scale·(1 + more).
func split(z float64, c *[cEnd]float64) (more, scale float64) {
	k := math.RoundToEven(z * c[cLog2E])
	r := z - float64(k*c[cLn2])
	return float64(poly(c, cExp, 7, r) * r), math.Float64frombits(uint64(int64(k)+0x3FF) << 52)
}

func exp(z float64, c *[cEnd]float64) float64 {
	if z > c[cHigh] {
		z = c[cHigh]
	}
	if z < c[cLow] {
		z = c[cLow]
	}
	more, scale := split(z, c)
	return float64((more + 1) * scale)
}

func sigmoid(x float64, c *[cEnd]float64) float64 { return 1 / (exp(0-x, c) + 1) }

func swish(x float64, c *[cEnd]float64) float64 { return x / (exp(0-float64(x*c[cAlpha]), c) + 1) }

// tanh is (e^2x - 1) / (e^2x + 1) for positive x.
func tanh(x float64, c *[cEnd]float64) float64 {
	z := math.Abs(x)
	z += z
	if z > c[cFar] {
		z = c[cFar]
	}
	more, scale := split(z, c)
	less := float64(more*scale) + (scale - 1)
	return math.Copysign(less/(less+2), x)
}

func geluTanh(x float64, c *[cEnd]float64) float64 {
	t := float64(float64(x*x)*c[cTanh3]) + c[cTanh1]
	return x / (exp(0-float64(t*x), c) + 1)
}

// erfc is e^z times e^(t·t)·erfc(t), where a and center are in proportion to t and the constant in the polynomial.
func erfc(z, a, center float64, c *[cEnd]float64) float64 {
	if a > c[cFar] {
		a = c[cFar]
	}
	return float64(exp(z, c) * poly(c, cErfc, 13, (a-center)/(a+center)))
}

func gelu(x float64, c *[cEnd]float64) float64 {
	p := float64(erfc(0-float64(float64(x*x)*0.5), math.Abs(x), c[cGeluCenter], c) * 0.5)
	if x > 0 {
		p = 1 - p
	}
	return p * x
}

func erf(x float64, c *[cEnd]float64) float64 {
	a := math.Abs(x)
	y := 1 - erfc(0-float64(x*x), a, c[cErfCenter], c)
	if a < 1 {
		y = poly(c, cErf, 8, a*a) * a
	}
	return math.Copysign(y, x)
}
