package compare

import (
	"github.com/gneiss-ml/gneiss/onnx"
)

// Floats are the elements of t as float64, two for each complex number. 64-bit integers beyond 2⁵³ are rounded. Strings have
// none: an error of the unsupported kind.
func Floats(t *onnx.Tensor) ([]float64, error) {
	switch t.Elem {
	case onnx.Float64:
		return widen(onnx.Data[float64](t)), nil
	case onnx.Float32:
		return widen(onnx.Data[float32](t)), nil
	case onnx.Complex64:
		return parts(onnx.Data[complex64](t)), nil
	case onnx.Complex128:
		return parts(onnx.Data[complex128](t)), nil
	case onnx.Int64:
		return widen(onnx.Data[int64](t)), nil
	case onnx.Int32:
		return widen(onnx.Data[int32](t)), nil
	case onnx.Int16:
		return widen(onnx.Data[int16](t)), nil
	case onnx.Int8:
		return widen(onnx.Data[int8](t)), nil
	case onnx.Uint64:
		return widen(onnx.Data[uint64](t)), nil
	case onnx.Uint32:
		return widen(onnx.Data[uint32](t)), nil
	case onnx.Uint16:
		return widen(onnx.Data[uint16](t)), nil
	case onnx.Uint8:
		return widen(onnx.Data[uint8](t)), nil
	case onnx.Float16:
		return convert(onnx.Data[onnx.F16](t), onnx.F16.Float32), nil
	case onnx.BFloat16:
		return convert(onnx.Data[onnx.BF16](t), onnx.BF16.Float32), nil
	case onnx.Bool, onnx.Float8E4M3FN, onnx.Float8E4M3FNUZ, onnx.Float8E5M2, onnx.Float8E5M2FNUZ, onnx.Float8E8M0:
		return widen(t.Bytes()), nil
	}
	if t.Elem.Packed() {
		return unpack(t), nil
	}
	return nil, onnx.Unsupportedf("compare: elements of type %v have no numbers", t.Elem)
}

func widen[T float32 | float64 | int64 | int32 | int16 | int8 | uint64 | uint32 | uint16 | uint8](v []T) []float64 {
	d := make([]float64, len(v))
	for i, x := range v {
		d[i] = float64(x)
	}
	return d
}

func convert[T any](v []T, f func(T) float32) []float64 {
	d := make([]float64, len(v))
	for i, x := range v {
		d[i] = float64(f(x))
	}
	return d
}

func parts[T complex64 | complex128](v []T) []float64 {
	d := make([]float64, 0, 2*len(v))
	for _, x := range v {
		c := complex128(x)
		d = append(d, real(c), imag(c))
	}
	return d
}

// unpack gives the bit patterns of packed elements, low bits first.
func unpack(t *onnx.Tensor) []float64 {
	bits, b := t.Elem.Bits(), t.Bytes()
	d := make([]float64, t.Len())
	for i := range d {
		at := i * bits
		v := int(b[at/8]) >> (at % 8)
		if at%8+bits > 8 {
			v |= int(b[at/8+1]) << (8 - at%8)
		}
		d[i] = float64(v & (1<<bits - 1))
	}
	return d
}
