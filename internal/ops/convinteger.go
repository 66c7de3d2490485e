package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ConvInteger: the convolution of 8-bit integers less their zero points, as exact int32, which wraps. The padding holds the zero
// point. Weights have one zero point or one for each output channel.
//
// One version, of opset 10.
var opConvInteger = opdef.Def{
	Type:    "ConvInteger",
	Infer:   inferProduct(integerInputs, func(*opdef.Infer) onnx.ElemType { return onnx.Int32 }, inferConv),
	Compile: exactConv(integerInputs),
	Grad:    opdef.NoGrad,
}
