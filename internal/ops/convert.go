package ops

import (
	"math"
	"strconv"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
)

// chunk is how many elements a conversion handles at a time, through numbers of a wide type.
const chunk = 256

// family is the wide type that the elements of a type go through.
type family uint8

const (
	wideFloat family = iota
	wideInt
	wideUint
	wideComplex
	wideString
)

func familyOf(e onnx.ElemType) family {
	switch e {
	case onnx.Bool, onnx.Int2, onnx.Int4, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint2, onnx.Uint4, onnx.Uint8,
		onnx.Uint16, onnx.Uint32:
		return wideInt
	case onnx.Uint64:
		return wideUint
	case onnx.Complex64, onnx.Complex128:
		return wideComplex
	case onnx.String:
		return wideString
	}
	return wideFloat
}

// wide is a chunk of elements in a wide type: one of the lists is in use.
type wide struct {
	f [chunk]float64
	i [chunk]int64
	u [chunk]uint64
	c [chunk]complex128
	s []string
}

// conversion turns elements of one type into another. It is made once and shared; wide is the run's.
type conversion struct {
	from, to onnx.ElemType
	load     func(w *wide, x []byte, n int) // from, packed types spread
	middle   func(w *wide, n int) error     // from's wide type to to's
	store    func(y []byte, w *wide, n int) // to, packed types spread
}

// float8 says how numbers become 8-bit floating-point numbers.
type float8 struct {
	saturate bool
	round    string // of float8e8m0: "up", "down" or "nearest"
}

func newConversion(from, to onnx.ElemType, o float8) (*conversion, error) {
	if !from.Valid() || !to.Valid() {
		return nil, badElem(to)
	}
	return &conversion{from: from, to: to, load: loader(from), middle: middle(from, to), store: storer(to, o)}, nil
}

// run converts all elements of x.
func (c *conversion) run(w *wide, y, x array) error {
	for at, total := 0, x.len(); at < total; at += chunk {
		n := min(chunk, total-at)
		part := x.cut(at, n)
		if c.from == onnx.String {
			w.s = part.s
		} else {
			c.load(w, part.b, n)
		}
		to := y.cut(at, n)
		if c.to == onnx.String {
			format10(to.s, w, n, c.from)
			continue
		}
		if err := c.middle(w, n); err != nil {
			return err
		}
		c.store(to.b, w, n)
	}
	w.s = nil
	return nil
}

// loader reads elements into the wide type of e.
func loader(e onnx.ElemType) func(*wide, []byte, int) {
	switch e {
	case onnx.Float32:
		return loadFloats(func(v float32) float64 { return float64(v) })
	case onnx.Float64:
		return func(w *wide, x []byte, n int) { copy(w.f[:n], onnx.View[float64](x)) }
	case onnx.Float16:
		return loadFloats(func(v onnx.F16) float64 { return float64(v.Float32()) })
	case onnx.BFloat16:
		return loadFloats(func(v onnx.BF16) float64 { return float64(v.Float32()) })
	case onnx.Float8E4M3FN:
		return loadFloats(func(v onnx.F8E4M3FN) float64 { return float64(v.Float32()) })
	case onnx.Float8E4M3FNUZ:
		return loadFloats(func(v onnx.F8E4M3FNUZ) float64 { return float64(v.Float32()) })
	case onnx.Float8E5M2:
		return loadFloats(func(v onnx.F8E5M2) float64 { return float64(v.Float32()) })
	case onnx.Float8E5M2FNUZ:
		return loadFloats(func(v onnx.F8E5M2FNUZ) float64 { return float64(v.Float32()) })
	case onnx.Float8E8M0:
		return loadFloats(func(v onnx.F8E8M0) float64 { return float64(v.Float32()) })
	case onnx.Float4E2M1:
		return loadFloats(func(v uint8) float64 { return e2m1.decode(v) })
	case onnx.Float6E2M3:
		return loadFloats(func(v uint8) float64 { return e2m3.decode(v) })
	case onnx.Float6E3M2:
		return loadFloats(func(v uint8) float64 { return e3m2.decode(v) })
	case onnx.Uint64:
		return func(w *wide, x []byte, n int) { copy(w.u[:n], onnx.View[uint64](x)) }
	case onnx.Complex128:
		return func(w *wide, x []byte, n int) { copy(w.c[:n], onnx.View[complex128](x)) }
	case onnx.Complex64:
		return func(w *wide, x []byte, n int) {
			for i, v := range onnx.View[complex64](x)[:n] {
				w.c[i] = complex128(v)
			}
		}
	}
	return intLoader(e)
}

func loadFloats[T onnx.Number](f func(T) float64) func(*wide, []byte, int) {
	return func(w *wide, x []byte, n int) {
		for i, v := range onnx.View[T](x)[:n] {
			w.f[i] = f(v)
		}
	}
}

func intLoader(e onnx.ElemType) func(*wide, []byte, int) {
	switch e {
	case onnx.Int8:
		return loadInts[int8]
	case onnx.Int16:
		return loadInts[int16]
	case onnx.Int32:
		return loadInts[int32]
	case onnx.Int64:
		return loadInts[int64]
	case onnx.Uint16:
		return loadInts[uint16]
	case onnx.Uint32:
		return loadInts[uint32]
	case onnx.Int4, onnx.Int2:
		shift := 64 - e.Bits()
		return func(w *wide, x []byte, n int) {
			for i, v := range x[:n] {
				w.i[i] = int64(v) << shift >> shift
			}
		}
	case onnx.Bool:
		return func(w *wide, x []byte, n int) {
			for i, v := range x[:n] {
				w.i[i] = int64(b2i(v != 0))
			}
		}
	}
	return loadInts[uint8]
}

func loadInts[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](w *wide, x []byte, n int) {
	for i, v := range onnx.View[T](x)[:n] {
		w.i[i] = int64(v)
	}
}

// middle converts between wide types on the way from one element type to another.
func middle(from, to onnx.ElemType) func(*wide, int) error {
	switch familyOf(to) {
	case wideFloat:
		return toFloats(from, to)
	case wideInt:
		return toInts(from, to)
	case wideUint:
		return toUints(from)
	}
	return toComplex(from)
}

// unary is a conversion that cannot fail.
func unary(do func(w *wide, i int)) func(*wide, int) error {
	return func(w *wide, n int) error {
		for i := range n {
			do(w, i)
		}
		return nil
	}
}

// parsing is a conversion of strings.
func parsing(do func(w *wide, i int, s string) error) func(*wide, int) error {
	return func(w *wide, n int) error {
		for i := range n {
			if err := do(w, i, strings.TrimSpace(w.s[i])); err != nil {
				return onnx.Invalidf("%.128q is not a number", w.s[i])
			}
		}
		return nil
	}
}

func toFloats(from, to onnx.ElemType) func(*wide, int) error {
	narrow := to != onnx.Float64
	switch familyOf(from) {
	case wideInt:
		return unary(func(w *wide, i int) { w.f[i] = intFloat(w.i[i], narrow) })
	case wideUint:
		return unary(func(w *wide, i int) { w.f[i] = uintFloat(w.u[i], narrow) })
	case wideComplex:
		return unary(func(w *wide, i int) { w.f[i] = realPart(w, i) })
	case wideString:
		return parsing(func(w *wide, i int, s string) (err error) {
			w.f[i], err = parseFloat(s)
			return err
		})
	}
	return func(*wide, int) error { return nil }
}

// realPart is the real part of the i-th complex number.
func realPart(w *wide, i int) float64 { return onnx.View[float64](onnx.BytesOf(w.c[:]))[2*i] }

// sticky is a large integer whose last bits are replaced by one that says whether they were 0, so that rounding it twice
// gives what rounding it once gives.
func sticky(v uint64) uint64 {
	if v >= 1<<53 && v&0x7ff != 0 {
		return v&^0x7ff | 0x400
	}
	return v
}

func uintFloat(v uint64, narrow bool) float64 {
	if narrow {
		v = sticky(v)
	}
	return float64(v)
}

func intFloat(v int64, narrow bool) float64 {
	if v < 0 {
		return -uintFloat(-uint64(v), narrow)
	}
	return uintFloat(uint64(v), narrow)
}

func toInts(from, to onnx.ElemType) func(*wide, int) error {
	if to == onnx.Bool {
		return toBools(from)
	}
	integer := floatInt64
	switch to {
	case onnx.Int8, onnx.Uint8, onnx.Int16, onnx.Uint16, onnx.Int32, onnx.Int4, onnx.Uint4, onnx.Int2, onnx.Uint2:
		integer = floatInt32
	}
	switch familyOf(from) {
	case wideFloat:
		return unary(func(w *wide, i int) { w.i[i] = integer(w.f[i]) })
	case wideUint:
		return unary(func(w *wide, i int) { w.i[i] = int64(w.u[i]) })
	case wideComplex:
		return unary(func(w *wide, i int) { w.i[i] = integer(realPart(w, i)) })
	case wideString:
		return parsing(func(w *wide, i int, s string) (err error) {
			if w.i[i], err = strconv.ParseInt(s, 10, 64); err != nil {
				var f float64
				f, err = parseFloat(s)
				w.i[i] = integer(f)
			}
			return err
		})
	}
	return func(*wide, int) error { return nil }
}

func toBools(from onnx.ElemType) func(*wide, int) error {
	switch familyOf(from) {
	case wideFloat:
		return unary(func(w *wide, i int) { w.i[i] = int64(b2i(w.f[i] != 0)) })
	case wideUint:
		return unary(func(w *wide, i int) { w.i[i] = int64(b2i(w.u[i] != 0)) })
	case wideComplex:
		return unary(func(w *wide, i int) { w.i[i] = int64(b2i(w.c[i] != 0)) })
	case wideString:
		return parsing(func(w *wide, i int, s string) error {
			switch strings.ToLower(s) {
			case "true":
				w.i[i] = 1
				return nil
			case "false":
				w.i[i] = 0
				return nil
			}
			f, err := parseFloat(s)
			w.i[i] = int64(b2i(f != 0))
			return err
		})
	}
	return unary(func(w *wide, i int) { w.i[i] = int64(b2i(w.i[i] != 0)) })
}

func toUints(from onnx.ElemType) func(*wide, int) error {
	switch familyOf(from) {
	case wideFloat:
		return unary(func(w *wide, i int) { w.u[i] = floatUint64(w.f[i]) })
	case wideInt:
		return unary(func(w *wide, i int) { w.u[i] = uint64(w.i[i]) })
	case wideComplex:
		return unary(func(w *wide, i int) { w.u[i] = floatUint64(realPart(w, i)) })
	case wideString:
		return parsing(func(w *wide, i int, s string) (err error) {
			if w.u[i], err = strconv.ParseUint(s, 10, 64); err != nil {
				var f float64
				f, err = parseFloat(s)
				w.u[i] = floatUint64(f)
			}
			return err
		})
	}
	return func(*wide, int) error { return nil }
}

func toComplex(from onnx.ElemType) func(*wide, int) error {
	switch familyOf(from) {
	case wideFloat:
		return unary(func(w *wide, i int) { w.c[i] = complex(w.f[i], 0) })
	case wideInt:
		return unary(func(w *wide, i int) { w.c[i] = complex(float64(w.i[i]), 0) })
	case wideUint:
		return unary(func(w *wide, i int) { w.c[i] = complex(float64(w.u[i]), 0) })
	case wideString:
		return parsing(func(w *wide, i int, s string) (err error) {
			w.c[i], err = strconv.ParseComplex(s, 128)
			return err
		})
	}
	return func(*wide, int) error { return nil }
}

// The conversions of floating-point numbers to integers truncate toward zero; NaN and numbers out of range give the smallest
// number of the middle type, whose low bits remain.

func floatInt32(v float64) int64 {
	if v = math.Trunc(v); v >= math.MinInt32 && v <= math.MaxInt32 {
		return int64(v)
	}
	return math.MinInt32
}

func floatInt64(v float64) int64 {
	if v >= -0x1p63 && v < 0x1p63 {
		return int64(v)
	}
	return math.MinInt64
}

func floatUint64(v float64) uint64 {
	if v >= 0x1p63 {
		return uint64(floatInt64(v-0x1p63)) + 1<<63
	}
	return uint64(floatInt64(v))
}

// parseFloat reads a decimal number, INF or NaN in any case.
func parseFloat(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && math.IsInf(f, 0) {
		return f, nil // out of range
	}
	return f, err
}

// storer writes elements of type e from its wide type.
func storer(e onnx.ElemType, o float8) func([]byte, *wide, int) {
	sat := o.saturate
	switch e {
	case onnx.Float32:
		return storeFloats(func(v float64) float32 { return float32(v) })
	case onnx.Float64:
		return func(y []byte, w *wide, n int) { copy(onnx.View[float64](y), w.f[:n]) }
	case onnx.Float16:
		return storeFloats(func(v float64) onnx.F16 { return onnx.NewF16(oddFloat32(v)) })
	case onnx.BFloat16:
		return storeFloats(func(v float64) onnx.BF16 { return onnx.NewBF16(oddFloat32(v)) })
	case onnx.Float8E4M3FN:
		return storeFloats(func(v float64) onnx.F8E4M3FN { return onnx.NewF8E4M3FN(oddFloat32(v), sat) })
	case onnx.Float8E4M3FNUZ:
		return storeFloats(func(v float64) onnx.F8E4M3FNUZ { return onnx.NewF8E4M3FNUZ(oddFloat32(v), sat) })
	case onnx.Float8E5M2:
		return storeFloats(func(v float64) onnx.F8E5M2 { return onnx.NewF8E5M2(oddFloat32(v), sat) })
	case onnx.Float8E5M2FNUZ:
		return storeFloats(func(v float64) onnx.F8E5M2FNUZ { return onnx.NewF8E5M2FNUZ(oddFloat32(v), sat) })
	case onnx.Float8E8M0:
		return storeFloats(func(v float64) onnx.F8E8M0 { return powerOfTwo(v, o) })
	case onnx.Float4E2M1:
		return storeFloats(func(v float64) uint8 { return e2m1.encode(v) })
	case onnx.Float6E2M3:
		return storeFloats(func(v float64) uint8 { return e2m3.encode(v) })
	case onnx.Float6E3M2:
		return storeFloats(func(v float64) uint8 { return e3m2.encode(v) })
	case onnx.Int8, onnx.Uint8, onnx.Bool, onnx.Int4, onnx.Uint4, onnx.Int2, onnx.Uint2:
		return storeInts[uint8]
	case onnx.Int16, onnx.Uint16:
		return storeInts[uint16]
	case onnx.Int32, onnx.Uint32:
		return storeInts[uint32]
	case onnx.Int64:
		return storeInts[uint64]
	case onnx.Uint64:
		return func(y []byte, w *wide, n int) { copy(onnx.View[uint64](y), w.u[:n]) }
	case onnx.Complex64:
		return func(y []byte, w *wide, n int) {
			for i, v := range w.c[:n] {
				onnx.View[complex64](y)[i] = complex64(v)
			}
		}
	}
	return func(y []byte, w *wide, n int) { copy(onnx.View[complex128](y), w.c[:n]) }
}

func storeFloats[T onnx.Number](f func(float64) T) func([]byte, *wide, int) {
	return func(y []byte, w *wide, n int) {
		to := onnx.View[T](y)
		for i, v := range w.f[:n] {
			to[i] = f(v)
		}
	}
}

// storeInts keeps the low bits.
func storeInts[T uint8 | uint16 | uint32 | uint64](y []byte, w *wide, n int) {
	to := onnx.View[T](y)
	for i, v := range w.i[:n] {
		to[i] = T(v)
	}
}

// oddFloat32 rounds v to a float32 by truncation, with the last bit set where v is not that number, so that rounding the
// result again gives what rounding v gives.
func oddFloat32(v float64) float32 {
	f := float32(v)
	if float64(f) == v || math.IsNaN(v) || math.IsInf(v, 0) {
		return f
	}
	b := math.Float32bits(f)
	if math.Abs(float64(f)) > math.Abs(v) {
		b-- // toward zero; infinity becomes the largest number
	}
	return math.Float32frombits(b | 1)
}

// powerOfTwo is float8e8m0: an exponent and nothing else. Negative numbers are taken without their sign.
func powerOfTwo(v float64, o float8) onnx.F8E8M0 {
	v = math.Abs(v)
	switch {
	case math.IsNaN(v):
		return 0xff
	case v == 0 && !o.saturate:
		return 0xff
	case math.IsInf(v, 0):
		return overflow8(o)
	}
	frac, exp := math.Frexp(v) // v = frac * 2^exp, frac in [0.5, 1)
	exp--
	switch {
	case v == 0:
		exp = -127
	case o.round == "up" && frac > 0.5, o.round == "nearest" && frac >= 0.75:
		exp++
	}
	switch {
	case exp > 127:
		return overflow8(o)
	case exp < -127 && !o.saturate:
		return 0xff
	}
	return onnx.F8E8M0(max(exp, -127) + 127)
}

func overflow8(o float8) onnx.F8E8M0 {
	if o.saturate {
		return 0xfe
	}
	return 0xff
}

// minifloat is a floating-point format of 4 or 6 bits: a sign, exponent bits and mantissa bits; neither infinity nor NaN.
type minifloat struct {
	mant, bias int
	sign       uint8   // the sign's bit
	max        float64 // largest number; all bits but the sign's
}

var (
	e2m1 = minifloat{mant: 1, bias: 1, sign: 0x08, max: 6}
	e2m3 = minifloat{mant: 3, bias: 1, sign: 0x20, max: 7.5}
	e3m2 = minifloat{mant: 2, bias: 3, sign: 0x20, max: 28}
)

func (f *minifloat) decode(b uint8) float64 {
	exp, frac := int(b&(f.sign-1))>>f.mant, int(b)&(1<<f.mant-1)
	if exp > 0 {
		frac += 1 << f.mant
		exp--
	}
	v := math.Ldexp(float64(frac), exp+1-f.bias-f.mant)
	if b&f.sign != 0 {
		return -v
	}
	return v
}

// encode rounds v to nearest, ties to even, and saturates. NaN gives a zero of the other sign.
func (f *minifloat) encode(v float64) uint8 {
	sign := uint8(0)
	if math.Signbit(v) {
		sign = f.sign
	}
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return f.sign - sign
	case a >= f.max:
		return sign | (f.sign - 1)
	}
	_, exp := math.Frexp(a)
	exp = max(exp-1, 1-f.bias)
	units := int(math.RoundToEven(math.Ldexp(a, f.mant-exp)))
	return sign | min(uint8((exp+f.bias-1)<<f.mant+units), f.sign-1)
}

// format10 writes numbers in decimal, as short as they can be told from others of their type, without an exponent between
// 1e-4 and 1e16.
func format10(y []string, w *wide, n int, from onnx.ElemType) {
	for i := range n {
		switch familyOf(from) {
		case wideFloat:
			y[i] = formatFloat(w.f[i], from)
		case wideInt:
			y[i] = formatInt(w.i[i], from)
		case wideUint:
			y[i] = strconv.FormatUint(w.u[i], 10)
		case wideComplex:
			y[i] = strconv.FormatComplex(w.c[i], 'g', -1, 128)
		default:
			y[i] = w.s[i]
		}
	}
}

func formatInt(v int64, from onnx.ElemType) string {
	if from == onnx.Bool {
		if v != 0 {
			return "True"
		}
		return "False"
	}
	return strconv.FormatInt(v, 10)
}

func formatFloat(v float64, from onnx.ElemType) string {
	bits := 32
	if from == onnx.Float64 {
		bits = 64
	}
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "INF"
	case math.IsInf(v, -1):
		return "-INF"
	case a != 0 && (a < 1e-4 || a >= 1e16):
		return strconv.FormatFloat(v, 'e', -1, bits)
	}
	s := strconv.FormatFloat(v, 'f', -1, bits)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
