package ops

import "github.com/gneiss-ml/gneiss/onnx"

// real is the quantized v in float32; zero may be nil.
func (b lowering) real(v, scale, zero *onnx.Value) *onnx.Value {
	return b.Op("DequantizeLinear", values{v, scale, zero})
}

// quantized is v as type e; zero may be nil.
func (b lowering) quantized(v, scale, zero *onnx.Value, e onnx.ElemType) *onnx.Value {
	if zero == nil {
		return b.Op("QuantizeLinear", values{v, scale}, onnx.Int("output_dtype", int64(e)))
	}
	return b.Op("QuantizeLinear", values{v, scale, zero})
}

// between runs f on the quantized input 0, whose scale and zero point are inputs 1 and 2, and quantizes what it gives with
// inputs 3 and 4.
func between(f func(b lowering, x *onnx.Value) (*onnx.Value, error)) func(lowering) error {
	return func(b lowering) error {
		y, err := f(b, b.real(b.in(0), b.in(1), b.in(2)))
		if err != nil {
			return err
		}
		return b.finish(b.quantized(y, b.in(3), b.in(4), b.elem(0)))
	}
}

// betweenTwo is between for two operands, inputs 0 to 2 and 3 to 5; inputs 6 and 7 are of the result.
func betweenTwo(op string) func(lowering) error {
	return func(b lowering) error {
		y := b.do(op, b.real(b.in(0), b.in(1), b.in(2)), b.real(b.in(3), b.in(4), b.in(5)))
		return b.finish(b.quantized(y, b.in(6), b.in(7), b.elem(0)))
	}
}

// integerProduct is the exact product of a and w less their zero points, which may be nil, times the product of the scales, in
// the type of the scales.
func (b lowering) integerProduct(a, w, aScale, wScale, aZero, wZero *onnx.Value) *onnx.Value {
	sums := b.cast(b.Op("MatMulInteger", values{a, w, aZero, wZero}), onnx.Float32)
	return b.do("Mul", sums, b.cast(b.do("Mul", aScale, wScale), onnx.Float32))
}
