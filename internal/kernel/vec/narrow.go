package vec

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
)

// The functions of this file compute in float32, with multiplications fused where they say so: at most two float32 away from
// the nearest one. All tiers give the same bits. Polynomials are minimax fits whose coefficients were rounded one by one.
//
// What e^x needs: x = n·ln 2 + r with a whole n, and q = e^r - 1, so that e^x = 2^n + 2^n·q.

// The places of the constants; internal/kernel/_asm has them in the same order.
const (
	fLog2E = iota
	fLn2High
	fLn2Low
	fLow
	fHigh
	fMinusOne
	fMinusHalf
	fHalf
	fOne
	fTwo
	fAbs
	fSign
	fTiny32
	fTiny64
	fSigmoidFar
	fSiluFar
	fTanhFar
	fTanhNear
	fGeluFar
	fGeluNear
	fGeluCenter
	fGeluTanhFar
	fGeluTanhMost
	fErfFar
	fTanh1
	fTanh1Low
	fTanh3
	fTanh3Low
	fExp
	fTanh      = fExp + 5
	fGelu      = fTanh + 5
	fGeluSmall = fGelu + 10
	fErf       = fGeluSmall + 4
	fErfc      = fErf + 7
	fEnd       = fErfc + 7
)

const (
	tanh1 = 2 * 0.7978845608028654 // 2·√(2/π)
	tanh3 = tanh1 * 0.044715
)

// narrow is what the functions compute with.
var narrow = [fEnd]float32{
	fLog2E:   1 / math.Ln2,
	fLn2High: 0.693359375, fLn2Low: math.Ln2 - 0.693359375,
	// Beyond these e^x is 0 and infinity.
	fLow: -130, fHigh: 89,
	fMinusOne: -1, fMinusHalf: -0.5, fHalf: 0.5, fOne: 1, fTwo: 2,
	fAbs: math.Float32frombits(1<<31 - 1), fSign: math.Float32frombits(1 << 31),
	// Powers of two that keep 2^n from overflowing.
	fTiny32: 0x1p-32, fTiny64: 0x1p-64,
	fSigmoidFar: 105, fSiluFar: 115, fTanhFar: 10, fTanhNear: 0.625, fGeluFar: 40, fGeluNear: 0.5, fGeluCenter: 4,
	fGeluTanhFar: 12, fGeluTanhMost: 110, fErfFar: 4.1,
	fTanh1: tanh1, fTanh1Low: tanh1 - 1.595769166946411, fTanh3: tanh3, fTanh3Low: tanh3 - 0.07135481387376785,

	// (e^r - 1 - r) / r² for |r| up to ln(2)/2, error of e^r 2^-28.1.
	fExp + 0: 0.5, fExp + 1: 0.16666513681411743, fExp + 2: 0.041666414588689804, fExp + 3: 0.008369526825845242,
	fExp + 4: 0.0013939628843218088,

	// (tanh(x)/x - 1) / x² by x·x for x from 0 to 0.63, error of tanh 2^-27.6.
	fTanh + 0: -0.33333277702331543, fTanh + 1: 0.13331322371959686, fTanh + 2: -0.05372936278581619,
	fTanh + 3: 0.020604273304343224, fTanh + 4: -0.005665030796080828,

	// (a+4)·e^(a·a/2)·Q(a) by (a-4)/(a+4) for a from 0 to 14.6, error 2^-25.7, where Q is the upper tail of the normal distribution.
	fGelu + 0: 0.7552851438522339, fGelu + 1: -0.6078966856002808, fGelu + 2: 0.3871368169784546, fGelu + 3: -0.18652203679084778,
	fGelu + 4: 0.06040426716208458, fGelu + 5: -0.007531067356467247, fGelu + 6: -0.0035153392236679792,
	fGelu + 7: 0.0015774748753756285, fGelu + 8: 0.00018508927314542234, fGelu + 9: -0.00013173134357202798,

	// (gelu(x) - x/2) / x² by x·x for x from 0 to 0.5, error of gelu 2^-28.7.
	fGeluSmall + 0: 0.3989422619342804, fGeluSmall + 1: -0.06648948043584824, fGeluSmall + 2: 0.00996119063347578,
	fGeluSmall + 3: -0.0011228842195123434,

	// erf(x)/x - 1 by x·x for x from 0 to 1, error 2^-29.3.
	fErf + 0: 0.12837916612625122, fErf + 1: -0.3761262595653534, fErf + 2: 0.1128358244895935, fErf + 3: -0.026853643357753754,
	fErf + 4: 0.005187962669879198, fErf + 5: -0.0008006793214008212, fErf + 6: 7.842288323445246e-05,

	// -ln(1 - erf(x)) by x for x from 1 to 4.1, error of erf 2^-29.7.
	fErfc + 0: 0.00030018683173693717, fErfc + 1: 1.1272525787353516, fErfc + 2: 0.6378809809684753, fErfc + 3: 0.1033293828368187,
	fErfc + 4: -0.021941497921943665, fErfc + 5: 0.0029727299697697163, fErfc + 6: -0.0001888547994894907,
}

func fma(a, b, c float32) float32 { return gemm.FMA32(a, b, c) }

// horner is a polynomial in x with n coefficients.
func horner(first, n int, x float32) float32 {
	p := narrow[first+n-1]
	for i := first + n - 2; i >= first; i-- {
		p = fma(p, x, narrow[i])
	}
	return p
}

func atMost(x, limit float32) float32 {
	if x > limit {
		return limit
	}
	return x
}

func atLeast(x, limit float32) float32 {
	if x < limit {
		return limit
	}
	return x
}

// size is |x|, at most a constant.
func size(x float32, far int) float32 {
	return atMost(math.Float32frombits(math.Float32bits(x)&^(1<<31)), narrow[far])
}

// signed is y with the sign of x, whose own sign is that or plus.
func signed(y, x float32) float32 {
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&(1<<31))
}

// positive is x where that is positive, else 0; NaN and -0 stay.
func positive(x float32) float32 {
	if x < 0 {
		return 0
	}
	return x
}

func nearest(z float32) float32 {
	return float32(math.RoundToEven(float64(float32(z * narrow[fLog2E]))))
}

// split is n and q of z.
func split(z float32) (n, q float32) {
	n = nearest(z)
	r := fma(-n, narrow[fLn2Low], fma(-n, narrow[fLn2High], z))
	return n, fma(float32(r*r), horner(fExp, 5, r), r)
}

// splitSum is n and q of z + low, where low is far smaller.
func splitSum(z, low float32) (n, q float32) {
	n = nearest(z)
	r := fma(-n, narrow[fLn2High], z) + fma(-n, narrow[fLn2Low], low)
	return n, fma(float32(r*r), horner(fExp, 5, r), r)
}

// power is 2^n times a power of two, where that is a normal number.
func power(n float32, times int) float32 {
	return math.Float32frombits(uint32(int32(n))<<23 + math.Float32bits(narrow[times]))
}

// scaled is x·2^n for n from -250 to 250.
func scaled(x, n float32) float32 {
	k := int32(n)
	h := k >> 1
	return float32(x*power(float32(h), fOne)) * power(float32(k-h), fOne)
}

func exp(x float32) float32 { return expAtMost(atMost(x, narrow[fHigh])) }

// expAtMost is exp of what cannot overflow.
func expAtMost(x float32) float32 {
	n, q := split(atLeast(x, narrow[fLow]))
	return scaled(q+1, n)
}

// logistic is 2^-k + e^z·2^-k for n and q of z, where the constant is 2^-k.
func logistic(n, q float32, tiny int) float32 {
	s := power(n, tiny)
	return fma(s, q, s+narrow[tiny])
}

func sigmoid(x float32) float32 {
	n, q := split(size(x, fSigmoidFar))
	y := narrow[fTiny32] / logistic(n, q, fTiny32)
	if x > 0 {
		y = 1 - y
	}
	return y
}

// less is the positive part of x less a / (1 + e^z).
func less(x, a, n, q float32) float32 {
	return signed(positive(x)-float32(float32(a/logistic(n, q, fTiny64))*narrow[fTiny64]), x)
}

func silu(x float32) float32 {
	a := size(x, fSiluFar)
	n, q := split(a)
	return less(x, a, n, q)
}

func tanh(x float32) float32 {
	a := size(x, fTanhFar)
	n, q := split(a + a)
	y := 1 - 2/logistic(n, q, fOne)
	if a < narrow[fTanhNear] {
		s := float32(a * a)
		y = fma(float32(horner(fTanh, 5, s)*s), a, a)
	}
	return signed(y, x)
}

// geluTanh is x / (1 + e^-v) with v = x·(tanh1 + tanh3·x²), of which the exponent needs more digits than a float32 has.
func geluTanh(x float32) float32 {
	a := size(x, fGeluTanhFar)
	s := float32(a * a)
	k := float32(narrow[fTanh3] * s)
	p := k + narrow[fTanh1]
	part := p - k
	low := (k - (p - part)) + (narrow[fTanh1] - part)
	low += fma(narrow[fTanh3Low], s, fma(narrow[fTanh3], fma(a, a, -s), fma(narrow[fTanh3], s, -k)+narrow[fTanh1Low]))
	v := float32(a * p)
	n, q := splitSum(atMost(v, narrow[fGeluTanhMost]), fma(a, low, fma(a, p, -v)))
	return less(x, a, n, q)
}

// gelu is the positive part of x less |x|·Q(|x|).
func gelu(x float32) float32 {
	a := size(x, fGeluFar)
	s := float32(a * a)
	n, q := splitSum(atLeast(float32(s*-0.5), narrow[fLow]), float32(fma(-a, a, s)*0.5))
	w := a / (a + narrow[fGeluCenter])
	p := horner(fGelu, 10, fma(w, 2, -1))
	b := float32(p * w)
	y := positive(x) - scaled(b+fma(b, q, fma(p, w, -b)), n)
	if a < narrow[fGeluNear] {
		y = fma(horner(fGeluSmall, 4, s), s, float32(x*0.5))
	}
	return signed(y, x)
}

func erf(x float32) float32 {
	a := size(x, fErfFar)
	n, q := split(0 - horner(fErfc, 7, a))
	s := power(n, fOne)
	y := fma(-s, q, 1-s)
	if a < 1 {
		y = fma(a, horner(fErf, 7, float32(a*a)), a)
	}
	return signed(y, x)
}
