package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.QLinearAveragePool: AveragePool of a quantized tensor, computed in float32; with channels_last the channels are
// the last axis.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQLinearAveragePool = opdef.Def{
	Type:   "QLinearAveragePool",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QLinearAveragePool", "X:T x_scale:float x_zero_point?:T y_scale:float y_zero_point?:T", "Y:T", msBytes,
		"auto_pad:string ceil_mode:int channels_last:int count_include_pad:int kernel_shape!:ints pads:ints strides:ints"),
	Body: lowered(between(func(b lowering, x *onnx.Value) (*onnx.Value, error) {
		return b.channelsLast(x, b.Node.Int("channels_last", 0) != 0, func(x *onnx.Value) (*onnx.Value, error) {
			return b.Op("AveragePool", values{x}, b.kept(windowAttrs...)...), nil
		})
	})),
}
