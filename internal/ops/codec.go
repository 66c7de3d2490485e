package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/onnx"
)

// codec reads and writes elements that are stored in another type than T, in which they are computed. A nil codec means that
// they are stored as T.
type codec[T any] struct {
	load  func(dst []T, src []byte, lo int) // elements from number lo on
	store func(dst []byte, i int, v T)
}

var (
	codecF16 = codec[float32]{
		load:  func(dst []float32, src []byte, lo int) { widenF16(dst, onnx.View[uint16](src)[lo:lo+len(dst)]) },
		store: func(dst []byte, i int, v float32) { onnx.View[onnx.F16](dst)[i] = onnx.NewF16(v) },
	}
	codecBF16 = codec[float32]{
		load:  func(dst []float32, src []byte, lo int) { widenBF16(dst, onnx.View[uint16](src)[lo:lo+len(dst)]) },
		store: func(dst []byte, i int, v float32) { onnx.View[onnx.BF16](dst)[i] = onnx.NewBF16(v) },
	}
)

// halfCodec is the codec of float16 or bfloat16.
func halfCodec(e onnx.ElemType) *codec[float32] {
	if e == onnx.BFloat16 {
		return &codecBF16
	}
	return &codecF16
}

// whole is the integers that a tensor may hold.
type whole interface {
	vec.Integer
	onnx.Number
}

// wholeCodec computes integers in float64; results are cut toward zero.
func wholeCodec[S whole]() *codec[float64] {
	return &codec[float64]{
		load: func(dst []float64, src []byte, lo int) {
			for i, v := range onnx.View[S](src)[lo : lo+len(dst)] {
				dst[i] = float64(v)
			}
		},
		store: func(dst []byte, i int, v float64) { onnx.View[S](dst)[i] = S(truncate(v)) },
	}
}
