package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.QLinearLeakyRelu: LeakyRelu of a quantized tensor, computed in float32.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQLinearLeakyRelu = opdef.Def{
	Type:   "QLinearLeakyRelu",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QLinearLeakyRelu", "X:T X_scale:float X_zero_point?:T Y_scale:float Y_zero_point?:T", "Y:T", msBytes, "alpha:float"),
	Body: lowered(between(func(b lowering, x *onnx.Value) (*onnx.Value, error) {
		return b.Op("LeakyRelu", values{x}, onnx.Float("alpha", b.Node.Float("alpha", 0.01))), nil
	})),
}
