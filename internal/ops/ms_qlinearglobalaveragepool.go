package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.QLinearGlobalAveragePool: GlobalAveragePool of a quantized tensor, computed in float32; with channels_last the
// channels are the last axis.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQLinearGlobalAveragePool = opdef.Def{
	Type:   "QLinearGlobalAveragePool",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QLinearGlobalAveragePool", "X:T x_scale:float x_zero_point:T y_scale:float y_zero_point:T", "Y:T", msBytes, "channels_last:int"),
	Body: lowered(between(func(b lowering, x *onnx.Value) (*onnx.Value, error) {
		return b.channelsLast(x, b.Node.Int("channels_last", 0) != 0, func(x *onnx.Value) (*onnx.Value, error) {
			return b.do("GlobalAveragePool", x), nil
		})
	})),
}
