package onnx

import "math"

// NewF16 rounds f to the nearest float16, ties to even. Numbers of 65520 and more become infinity.
func NewF16(f float32) F16 {
	b := math.Float32bits(f)
	sign, abs := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case abs > 0x7f800000: // NaN: the payload's high bits, quiet
		return F16(sign | 0x7e00 | uint16(abs>>13)&0x1ff)
	case abs >= 0x477ff000: // 65520
		return F16(sign | 0x7c00)
	case abs >= 0x38800000: // 2^-14: a normal number; rebias the exponent by 127-15
		abs -= 112 << 23
		return F16(sign | uint16((abs+0xfff+abs>>13&1)>>13))
	}
	// A multiple of 2^-24: adding 0.5, whose last bit has that weight, rounds.
	return F16(sign | uint16(math.Float32bits(math.Float32frombits(abs)+0.5)-0x3f000000))
}

// Float32 is the number as a float32, exactly.
func (h F16) Float32() float32 {
	sign, exp, frac := uint32(h&0x8000)<<16, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0:
		f := float32(frac) * 0x1p-24
		return math.Float32frombits(sign | math.Float32bits(f))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// NewBF16 rounds f to the nearest bfloat16, ties to even.
func NewBF16(f float32) BF16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 { // NaN: the payload's high bits, quiet
		return BF16(b>>16 | 0x40)
	}
	return BF16((b + 0x7fff + b>>16&1) >> 16)
}

// Float32 is the number as a float32, exactly.
func (h BF16) Float32() float32 { return math.Float32frombits(uint32(h) << 16) }

// f8 describes one of the 8-bit formats with a sign.
type f8 struct {
	mant, bias int
	fnuz       bool // one NaN (0x80), no infinity, no negative zero
	inf        bool // has infinity
	max        float32
	maxBits    uint8
}

var (
	e4m3fn   = f8{mant: 3, bias: 7, max: 448, maxBits: 0x7e}
	e4m3fnuz = f8{mant: 3, bias: 8, fnuz: true, max: 240, maxBits: 0x7f}
	e5m2     = f8{mant: 2, bias: 15, inf: true, max: 57344, maxBits: 0x7b}
	e5m2fnuz = f8{mant: 2, bias: 16, fnuz: true, max: 57344, maxBits: 0x7f}
)

// nan is the positive NaN, quiet where a format has several.
func (f *f8) nan() uint8 {
	switch {
	case f.fnuz:
		return 0x80
	case f.inf:
		return 0x7e
	}
	return 0x7f
}

// decode is the number of a bit pattern.
func (f *f8) decode(b uint8) float32 {
	exp, frac := int(b&0x7f)>>f.mant, float64(int(b)&(1<<f.mant-1))
	switch {
	case f.fnuz && b == 0x80, !f.fnuz && !f.inf && b&0x7f == 0x7f, f.inf && b&0x7f > 0x7c:
		return float32(math.NaN())
	case f.inf && b&0x7f == 0x7c:
		return float32(math.Inf(1 - int(b>>6&2)))
	}
	if exp > 0 {
		frac += float64(int(1) << f.mant)
		exp--
	}
	return float32(math.Copysign(math.Ldexp(frac, exp+1-f.bias-f.mant), 1-float64(b>>6&2)))
}

// encode rounds v to nearest, ties to even. Beyond the largest number it gives that number when saturate is set, else the
// format's infinity or NaN.
func (f *f8) encode(v float32, saturate bool) uint8 {
	sign := uint8(math.Float32bits(v) >> 24 & 0x80)
	a := math.Abs(float64(v))
	if math.IsNaN(a) {
		return f.nan()
	}
	_, exp := math.Frexp(a) // a is 0 or in [2^(exp-1), 2^exp)
	exp = max(exp-1, 1-f.bias)
	if a == 0 {
		exp = 1 - f.bias
	}
	units := math.RoundToEven(math.Ldexp(a, f.mant-exp))
	if math.IsInf(a, 0) || math.Ldexp(units, exp-f.mant) > float64(f.max) {
		return f.overflow(sign, saturate)
	}
	// units is in [0, 2^(mant+1)]: its leading bit, when there is one, counts one exponent up.
	bits := uint8((exp+f.bias-1)<<f.mant + int(units))
	if f.fnuz && bits == 0 {
		return 0
	}
	return sign | bits
}

func (f *f8) overflow(sign uint8, saturate bool) uint8 {
	switch {
	case saturate:
		return sign | f.maxBits
	case f.inf:
		return sign | 0x7c
	case f.fnuz:
		return 0x80
	}
	return sign | 0x7f
}

// NewF8E4M3FN rounds f to the nearest, ties to even. Beyond 448, infinity included, it gives 448 if saturate is set, else
// NaN.
func NewF8E4M3FN(f float32, saturate bool) F8E4M3FN { return F8E4M3FN(e4m3fn.encode(f, saturate)) }

// Float32 is the number as a float32, exactly.
func (h F8E4M3FN) Float32() float32 { return e4m3fn.decode(uint8(h)) }

// NewF8E4M3FNUZ rounds f to the nearest, ties to even. Beyond 240, infinity included, it gives 240 if saturate is set, else
// NaN.
func NewF8E4M3FNUZ(f float32, saturate bool) F8E4M3FNUZ {
	return F8E4M3FNUZ(e4m3fnuz.encode(f, saturate))
}

// Float32 is the number as a float32, exactly.
func (h F8E4M3FNUZ) Float32() float32 { return e4m3fnuz.decode(uint8(h)) }

// NewF8E5M2 rounds f to the nearest, ties to even. Beyond 57344, infinity included, it gives 57344 if saturate is set, else
// infinity.
func NewF8E5M2(f float32, saturate bool) F8E5M2 { return F8E5M2(e5m2.encode(f, saturate)) }

// Float32 is the number as a float32, exactly.
func (h F8E5M2) Float32() float32 { return e5m2.decode(uint8(h)) }

// NewF8E5M2FNUZ rounds f to the nearest, ties to even. Beyond 57344, infinity included, it gives 57344 if saturate is set,
// else NaN.
func NewF8E5M2FNUZ(f float32, saturate bool) F8E5M2FNUZ {
	return F8E5M2FNUZ(e5m2fnuz.encode(f, saturate))
}

// Float32 is the number as a float32, exactly.
func (h F8E5M2FNUZ) Float32() float32 { return e5m2fnuz.decode(uint8(h)) }

// Float32 is the power of two, exactly; the smallest, 2^-127, is a subnormal float32.
func (h F8E8M0) Float32() float32 {
	if h == 0xff {
		return float32(math.NaN())
	}
	return float32(math.Ldexp(1, int(h)-127))
}
