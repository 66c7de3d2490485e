package ops

import "math"

// finite is v, or 0 for an infinity or NaN.
func finite[T real](v T) T {
	if f := float64(v); math.IsInf(f, 0) || math.IsNaN(f) {
		return 0
	}
	return v
}

// logOf is the natural logarithm of v.
func logOf[T real](v T) T { return T(math.Log(float64(v))) }

// truncate cuts toward zero; NaN and what does not fit give the lowest number.
func truncate(f float64) int64 {
	if !(f > -0x1p63 && f < 0x1p63) {
		return math.MinInt64
	}
	return int64(f)
}

// sqrtOf and lnOf finish a reduction.
func sqrtOf[T float](v T, _ int) T { return T(math.Sqrt(float64(v))) }
func lnOf[T float](v T, _ int) T   { return T(math.Log(float64(v))) }
