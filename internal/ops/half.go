package ops

import "github.com/gneiss-ml/gneiss/onnx"

// format converts between a 16-bit floating-point type and the float32 that kernels compute in.
type format struct {
	widen  func(dst []float32, src []uint16)
	narrow func(dst []uint16, src []float32)
}

var (
	formatF16  = format{widenF16, narrowF16}
	formatBF16 = format{widenBF16, narrowBF16}
)

// formatOf is the format of a 16-bit floating-point type; nil for other types.
func formatOf(e onnx.ElemType) *format {
	switch e {
	case onnx.Float16:
		return &formatF16
	case onnx.BFloat16:
		return &formatBF16
	}
	return nil
}

func widenF16(dst []float32, src []uint16) {
	for i, h := range src {
		dst[i] = onnx.F16(h).Float32()
	}
}

func narrowF16(dst []uint16, src []float32) {
	for i, f := range src {
		dst[i] = uint16(onnx.NewF16(f))
	}
}

func widenBF16(dst []float32, src []uint16) {
	for i, h := range src {
		dst[i] = onnx.BF16(h).Float32()
	}
}

func narrowBF16(dst []uint16, src []float32) {
	for i, f := range src {
		dst[i] = uint16(onnx.NewBF16(f))
	}
}
