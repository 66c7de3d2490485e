package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.QLinearConv is the QLinearConv of the standard; with channels_last the channels of x and y are the last axis.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQLinearConv = opdef.Def{
	Type:   "QLinearConv",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QLinearConv", "x:T1 x_scale:float x_zero_point:T1 w:T2 w_scale:float w_zero_point:T2 y_scale:float y_zero_point:T3 B?:T4", "y:T3",
		"T1=int8,uint8 T2=int8,uint8 T3=int8,uint8 T4=int32", convAttrs+" channels_last:int"),
	Body: lowered(func(b lowering) error {
		y, err := b.channelsLast(b.in(0), b.Node.Int("channels_last", 0) != 0, func(x *onnx.Value) (*onnx.Value, error) {
			ins := b.Node.Inputs()
			ins[0] = x
			return b.Op("QLinearConv", ins, b.kept(windowAttrs...)...), nil
		})
		if err != nil {
			return err
		}
		return b.finish(y)
	}),
}
