package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.QLinearSoftmax: Softmax of a quantized tensor, computed in float32; where the attribute opset is below 13, over all
// axes from axis on.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQLinearSoftmax = opdef.Def{
	Type:   "QLinearSoftmax",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QLinearSoftmax", "X:T X_scale:float x_zero_point?:T y_scale:float y_zero_point:T", "Y:T", msBytes, "axis:int opset!:int"),
	Body: lowered(between(func(b lowering, x *onnx.Value) (*onnx.Value, error) {
		axis := b.Node.Int("axis", -1)
		if b.Node.Int("opset", 0) >= 13 {
			return b.Op("Softmax", values{x}, onnx.Int("axis", axis)), nil
		}
		flat := b.Op("Flatten", values{x}, onnx.Int("axis", axis))
		return reshapeLike(b.Builder, b.Op("Softmax", values{flat}, onnx.Int("axis", -1)), x), nil
	})),
}
