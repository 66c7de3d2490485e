package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.QLinearSigmoid: Sigmoid of a quantized tensor, computed in float32.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQLinearSigmoid = opdef.Def{
	Type:   "QLinearSigmoid",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QLinearSigmoid", "X:T X_scale:float X_zero_point?:T Y_scale:float Y_zero_point?:T", "Y:T", msBytes, ""),
	Body:   lowered(between(func(b lowering, x *onnx.Value) (*onnx.Value, error) { return b.do("Sigmoid", x), nil })),
}
