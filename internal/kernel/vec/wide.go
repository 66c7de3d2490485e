package vec

import "math"

// The functions of this file compute in float64 and round once: the results are the nearest float32 or, seldom, the one beside
// it. No operation is fused, so that every tier gives the same bits. The polynomial interpolates at Chebyshev nodes.

// The places of the constants; internal/kernel/_asm has them in the same order.
const (
	cLog2E = iota
	cLn2
	cLow
	cHigh
	cOne
	cBias
	cAlpha
	cExp
	cEnd = cExp + 7
)

// constants is what the functions compute with.
var constants = [cEnd]float64{
	cLog2E: 1 / math.Ln2, cLn2: math.Ln2,
	// Beyond these 2 to the power of the exponent is 0 and infinity.
	cLow: -709.2, cHigh: 710,
	cOne: 1, cBias: 0x3FFp-1074, cAlpha: 1,

	// (e^r - 1) / r for |r| up to ln(2)/2, error 2^-31.8.
	cExp + 0: 1, cExp + 1: 0.5000000047146053, cExp + 2: 0.16666666719028853, cExp + 3: 0.04166635277111764,
	cExp + 4: 0.008333298469793441, cExp + 5: 0.0013941118895878797, cExp + 6: 0.0001989928558698278,
}

// withAlpha is the constants for a factor.
func withAlpha(alpha float64) *[cEnd]float64 {
	c := constants
	c[cAlpha] = alpha
	return &c
}

// poly is a polynomial in x with n coefficients.
func poly(c *[cEnd]float64, first, n int, x float64) float64 {
	p := c[first+n-1]
	for i := first + n - 2; i >= first; i-- {
		p = float64(p*x) + c[i]
	}
	return p
}

// wideExp is e^z.
func wideExp(z float64, c *[cEnd]float64) float64 {
	if z > c[cHigh] {
		z = c[cHigh]
	}
	if z < c[cLow] {
		z = c[cLow]
	}
	k := math.RoundToEven(z * c[cLog2E])
	r := z - float64(k*c[cLn2])
	scale := math.Float64frombits(uint64(int64(k)+0x3FF) << 52)
	return float64((float64(poly(c, cExp, 7, r)*r) + 1) * scale)
}

func swish(y, x []float32, c *[cEnd]float64) {
	for i, v := range x[:len(y)] {
		w := float64(v)
		y[i] = float32(w / (wideExp(0-float64(w*c[cAlpha]), c) + 1))
	}
}
