// Package vec computes one number from the numbers at the same place: the arithmetic of elementwise operators.
//
// A kernel is a func(y []R, x [][]T) or a func(y, x []T): it fills y from slices of y's length. y may be the same slice as
// one of the inputs; otherwise they do not overlap. Products are rounded before they are added.
package vec

// Float is the types that floating-point kernels compute in.
type Float interface{ ~float32 | ~float64 }

// Signed is the signed integers.
type Signed interface {
	~int8 | ~int16 | ~int32 | ~int64
}

// Unsigned is the unsigned integers.
type Unsigned interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Integer is all integers.
type Integer interface{ Signed | Unsigned }

// Real is all numbers with an order.
type Real interface{ Integer | Float }

// Op names a kernel that exists for many element types.
type Op uint8

// Kernels on real numbers.
const (
	Add Op = iota
	Sub
	Mul
	Div
	Mod  // the sign of the divisor, as Python's %
	Fmod // the sign of the dividend, as C's fmod
	Min
	Max
	Abs
	Neg
	Sign
	Relu
	PRelu

	Equal
	Greater
	GreaterOrEqual
	Less
	LessOrEqual

	And
	Or
	Xor
	Not
	ShiftLeft
	ShiftRight
)
