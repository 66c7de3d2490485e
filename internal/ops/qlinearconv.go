package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// QLinearConv: Conv of quantized tensors with an int32 bias of scale x_scale·w_scale; the exact sums are scaled in float32, rounded
// to even and cut to the range of y. Weights have one scale and zero point or one for each output channel.
//
// One version, of opset 10. There is no gradient.
var opQLinearConv = opdef.Def{
	Type:    "QLinearConv",
	Infer:   inferProduct(linearInputs, func(c *opdef.Infer) onnx.ElemType { return c.Elem(7) }, inferConv),
	Compile: exactConv(linearInputs),
	Grad:    opdef.NoGrad,
}
