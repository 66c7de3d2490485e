package onnx_test

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// small describes a floating-point format of up to 16 bits by its definition.
type small struct {
	name       string
	exp, mant  int // bits
	bias       int
	ieee       bool // the highest exponent means infinity and NaN
	fnuz       bool // the sign bit alone is the only NaN
	decode     func(bits int) float32
	encode     func(f float32, saturate bool) int
	overflowed int // what the smallest overflow becomes without saturation
}

func (s small) width() int { return 1 + s.exp + s.mant }

// value is the number that the definition gives.
func (s small) value(bits int) float64 {
	sign, e, f := bits>>(s.exp+s.mant), bits>>s.mant&(1<<s.exp-1), bits&(1<<s.mant-1)
	v := math.Ldexp(float64(f), 1-s.bias-s.mant)
	if e > 0 {
		v = math.Ldexp(float64(f+1<<s.mant), e-s.bias-s.mant)
	}
	top := e == 1<<s.exp-1
	switch {
	case s.fnuz && bits == 1<<(s.exp+s.mant):
		return math.NaN()
	case s.ieee && top && f != 0, !s.ieee && !s.fnuz && top && f == 1<<s.mant-1:
		return math.NaN()
	case s.ieee && top:
		v = math.Inf(1)
	}
	return math.Copysign(v, 1-2*float64(sign))
}

var formats = []small{
	{
		name: "float16", exp: 5, mant: 10, bias: 15, ieee: true, overflowed: 0x7c00,
		decode: func(b int) float32 { return onnx.F16(b).Float32() },
		encode: func(f float32, _ bool) int { return int(onnx.NewF16(f)) },
	},
	{
		name: "bfloat16", exp: 8, mant: 7, bias: 127, ieee: true, overflowed: 0x7f80,
		decode: func(b int) float32 { return onnx.BF16(b).Float32() },
		encode: func(f float32, _ bool) int { return int(onnx.NewBF16(f)) },
	},
	{
		name: "float8e4m3fn", exp: 4, mant: 3, bias: 7, overflowed: 0x7f,
		decode: func(b int) float32 { return onnx.F8E4M3FN(b).Float32() },
		encode: func(f float32, s bool) int { return int(onnx.NewF8E4M3FN(f, s)) },
	},
	{
		name: "float8e4m3fnuz", exp: 4, mant: 3, bias: 8, fnuz: true, overflowed: 0x80,
		decode: func(b int) float32 { return onnx.F8E4M3FNUZ(b).Float32() },
		encode: func(f float32, s bool) int { return int(onnx.NewF8E4M3FNUZ(f, s)) },
	},
	{
		name: "float8e5m2", exp: 5, mant: 2, bias: 15, ieee: true, overflowed: 0x7c,
		decode: func(b int) float32 { return onnx.F8E5M2(b).Float32() },
		encode: func(f float32, s bool) int { return int(onnx.NewF8E5M2(f, s)) },
	},
	{
		name: "float8e5m2fnuz", exp: 5, mant: 2, bias: 16, fnuz: true, overflowed: 0x80,
		decode: func(b int) float32 { return onnx.F8E5M2FNUZ(b).Float32() },
		encode: func(f float32, s bool) int { return int(onnx.NewF8E5M2FNUZ(f, s)) },
	},
}

func TestSmallFloats(t *testing.T) {
	for _, s := range formats {
		t.Run(s.name, func(t *testing.T) {
			for bits := range 1 << s.width() {
				checkPattern(t, s, bits)
			}
			checkOverflow(t, s)
		})
	}
}

// checkPattern checks that a pattern means its number and comes back, and that what lies between it and the next larger
// number rounds to the nearest, the middle to the even one.
func checkPattern(t *testing.T, s small, bits int) {
	t.Helper()
	got, want := s.decode(bits), s.value(bits)
	if math.IsNaN(want) {
		require.True(t, got != got, "%#x", bits)
		require.True(t, math.IsNaN(s.value(s.encode(got, true))), "%#x", bits)
		return
	}
	require.Equal(t, math.Float64bits(want), math.Float64bits(float64(got)), "%#x", bits)
	require.Equal(t, bits, s.encode(got, false), "%#x", bits)
	next := bits + 1
	if bits&(1<<(s.width()-1)-1) == 1<<(s.width()-1)-1 {
		return
	}
	limit := s.value(next)
	if math.IsNaN(limit) || math.IsInf(limit, 0) {
		return
	}
	middle := float32((want + limit) / 2)
	if s.name == "bfloat16" && bits&0x7f80 == 0 {
		require.Equal(t, (want+limit)/2, float64(middle))
	}
	require.Equal(t, bits+bits&1, s.encode(middle, false), "the middle above %#x", bits)
	require.Equal(t, bits, s.encode(math.Nextafter32(middle, got), false), "below the middle above %#x", bits)
	require.Equal(t, next, s.encode(math.Nextafter32(middle, float32(limit)), false), "above the middle above %#x", bits)
}

// checkOverflow looks at what lies beyond the largest number.
func checkOverflow(t *testing.T, s small) {
	t.Helper()
	top := 0
	for bits := range 1 << (s.width() - 1) {
		if v := s.value(bits); !math.IsInf(v, 0) && v > s.value(top) {
			top = bits
		}
	}
	largest := s.value(top)
	step := largest - s.value(top-1)
	edge := float32(largest + step/2)
	if s.width() == 8 && top&1 == 0 { // an even largest number keeps the middle
		require.Equal(t, top, s.encode(edge, false))
		edge = math.Nextafter32(edge, float32(math.Inf(1)))
	}
	require.Equal(t, top, s.encode(math.Nextafter32(float32(largest+step/2), 0), false))
	require.Equal(t, s.overflowed, s.encode(edge, false))
	if s.width() == 8 {
		require.Equal(t, top, s.encode(edge, true))
		require.Equal(t, top, s.encode(float32(math.Inf(1)), true))
		require.Equal(t, top|0x80, s.encode(float32(math.Inf(-1)), true))
	}
}

func TestSmallFloats_zero(t *testing.T) {
	negative := float32(math.Copysign(0, -1))
	require.Equal(t, onnx.F16(0x8000), onnx.NewF16(negative))
	require.Equal(t, onnx.F8E5M2(0x80), onnx.NewF8E5M2(negative, true))
	require.Equal(t, onnx.F8E5M2FNUZ(0), onnx.NewF8E5M2FNUZ(negative, true))
	require.Equal(t, onnx.F8E4M3FNUZ(0), onnx.NewF8E4M3FNUZ(-1e-30, true))
}

func TestF8E8M0(t *testing.T) {
	require.Equal(t, float32(1), onnx.F8E8M0(127).Float32())
	require.Equal(t, float32(0x1p-127), onnx.F8E8M0(0).Float32())
	require.Equal(t, float32(0x1p127), onnx.F8E8M0(254).Float32())
	require.True(t, math.IsNaN(float64(onnx.F8E8M0(255).Float32())))
}
