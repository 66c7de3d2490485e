package vec

import "math"

// Arith is the kernel of op, one of Add to PRelu, on real numbers; nil for another op. Integers wrap; their divisor must not
// be 0. NaN in any input of Min, Max and Relu gives NaN.
func Arith[T Real](op Op) func(y []T, x [][]T) {
	switch op {
	case Add:
		return fold(add[T])
	case Sub:
		return fold(sub[T])
	case Mul:
		return fold(mul[T])
	case Div:
		return fold(div[T])
	case Mod:
		return fold(mod[T])
	case Fmod:
		return fold(fmod[T])
	case Min:
		return fold(minimum[T])
	case Max:
		return fold(maximum[T])
	case PRelu:
		return fold(prelu[T])
	case Abs:
		return single(abs[T])
	case Neg:
		return single(neg[T])
	case Sign:
		return single(sign[T])
	case Relu:
		return single(relu[T])
	}
	return nil
}

// single makes a kernel of one input.
func single[T any](f func(y, x []T)) func(y []T, x [][]T) {
	return func(y []T, x [][]T) { f(y, x[0]) }
}

// fold makes a kernel of one or more inputs, taken from the left. With more than two inputs y must not overlap any.
func fold[T any](f func(y, a, b []T)) func(y []T, x [][]T) {
	return func(y []T, x [][]T) {
		if len(x) == 1 {
			copy(y, x[0])
			return
		}
		f(y, x[0], x[1])
		for _, v := range x[2:] {
			f(y, y, v)
		}
	}
}

func add[T Real](y, a, b []T) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] + b[i]
	}
}

func sub[T Real](y, a, b []T) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] - b[i]
	}
}

func mul[T Real](y, a, b []T) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] * b[i]
	}
}

func div[T Real](y, a, b []T) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] / b[i]
	}
}

func mod[T Real](y, a, b []T) {
	for i := range y {
		m := remainder(a[i], b[i])
		switch {
		case m == 0:
			m = zeroLike(b[i])
		case (m < 0) != (b[i] < 0):
			m += b[i]
		}
		y[i] = m
	}
}

func fmod[T Real](y, a, b []T) {
	for i := range y {
		y[i] = remainder(a[i], b[i])
	}
}

// remainder has the sign of a. Integers of 64 bits do not pass through a float.
func remainder[T Real](a, b T) T {
	if isFloat[T]() {
		return T(math.Mod(float64(a), float64(b)))
	}
	return a - a/b*b
}

// zeroLike is a zero with the sign of v.
func zeroLike[T Real](v T) T { return T(math.Copysign(0, float64(v))) }

// isFloat reports whether T keeps fractions.
func isFloat[T Real]() bool {
	one := T(1)
	return one/2 != 0
}

func minimum[T Real](y, a, b []T) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = min(a[i], b[i])
	}
}

func maximum[T Real](y, a, b []T) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = max(a[i], b[i])
	}
}

func prelu[T Real](y, x, slope []T) {
	for i, v := range x {
		if v < 0 {
			v *= slope[i]
		}
		y[i] = v
	}
}

func abs[T Real](y, x []T) {
	for i, v := range x {
		if v < 0 {
			v = -v
		}
		y[i] = v + 0 // -0 becomes 0
	}
}

func neg[T Real](y, x []T) {
	for i, v := range x {
		y[i] = -v
	}
}

func sign[T Real](y, x []T) {
	for i, v := range x {
		switch {
		case v > 0:
			v = 1
		case v < 0:
			var one T = 1
			v = -one
		}
		y[i] = v
	}
}

func relu[T Real](y, x []T) {
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}

// Compare is the kernel of op, one of Equal to LessOrEqual; nil for another op.
func Compare[T Real](op Op) func(y []bool, x [][]T) {
	switch op {
	case Equal:
		return equal[T]
	case Greater:
		return greater[T]
	case GreaterOrEqual:
		return greaterOrEqual[T]
	case Less:
		return func(y []bool, x [][]T) { greater(y, [][]T{x[1], x[0]}) }
	case LessOrEqual:
		return func(y []bool, x [][]T) { greaterOrEqual(y, [][]T{x[1], x[0]}) }
	}
	return nil
}

func equal[T comparable](y []bool, x [][]T) {
	a, b := x[0], x[1]
	for i := range y {
		y[i] = a[i] == b[i]
	}
}

func greater[T Real](y []bool, x [][]T) {
	a, b := x[0], x[1]
	for i := range y {
		y[i] = a[i] > b[i]
	}
}

func greaterOrEqual[T Real](y []bool, x [][]T) {
	a, b := x[0], x[1]
	for i := range y {
		y[i] = a[i] >= b[i]
	}
}

// Bits is the kernel of op, one of And to ShiftRight, on integers; nil for another op. A shift by the number of bits or more
// gives 0, or -1 for a negative number shifted right.
func Bits[T Integer](op Op) func(y []T, x [][]T) {
	switch op {
	case And:
		return fold(func(y, a, b []T) {
			for i := range y {
				y[i] = a[i] & b[i]
			}
		})
	case Or:
		return fold(func(y, a, b []T) {
			for i := range y {
				y[i] = a[i] | b[i]
			}
		})
	case Xor:
		return fold(func(y, a, b []T) {
			for i := range y {
				y[i] = a[i] ^ b[i]
			}
		})
	case Not:
		return single(func(y, x []T) {
			for i, v := range x {
				y[i] = ^v
			}
		})
	case ShiftLeft:
		return fold(func(y, a, b []T) {
			for i := range y {
				y[i] = a[i] << uint64(b[i])
			}
		})
	case ShiftRight:
		return fold(func(y, a, b []T) {
			for i := range y {
				y[i] = a[i] >> uint64(b[i])
			}
		})
	}
	return nil
}

// Logic is the kernel of op, one of Equal and And to Not, on truth values; nil for another op.
func Logic(op Op) func(y []bool, x [][]bool) {
	switch op {
	case Equal:
		return equal[bool]
	case And:
		return fold(func(y, a, b []bool) {
			for i := range y {
				y[i] = a[i] && b[i]
			}
		})
	case Or:
		return fold(func(y, a, b []bool) {
			for i := range y {
				y[i] = a[i] || b[i]
			}
		})
	case Xor:
		return fold(func(y, a, b []bool) {
			for i := range y {
				y[i] = a[i] != b[i]
			}
		})
	case Not:
		return single(func(y, x []bool) {
			for i, v := range x {
				y[i] = !v
			}
		})
	}
	return nil
}
