package onnx

import "math"

// MulSize is a*b for sizes; ok is false when a factor is negative or the product does not fit an int.
func MulSize(a, b int) (n int, ok bool) {
	if a < 0 || b < 0 || b != 0 && a > math.MaxInt/b {
		return 0, false
	}
	return a * b, true
}

// NumElements is the product of the sizes in shape, 1 for a scalar; ok is false when a size is negative or the product of
// the sizes that are not 0 does not fit an int.
func NumElements(shape []int) (n int, ok bool) {
	n, zero := 1, false
	for _, d := range shape {
		if d == 0 {
			zero = true
			continue
		}
		if n, ok = MulSize(n, d); !ok {
			return 0, false
		}
	}
	if zero {
		return 0, true
	}
	return n, true
}

// NumBytes is the length of the bytes that hold n elements of type e: packed types round up to whole bytes, strings have
// none. ok is false when the number does not fit an int.
func (e ElemType) NumBytes(n int) (bytes int, ok bool) {
	bits := e.Bits()
	if bits%8 == 0 {
		return MulSize(n, bits/8)
	}
	if n < 0 || n > (math.MaxInt-7)/bits {
		return 0, false
	}
	return (n*bits + 7) / 8, true
}
