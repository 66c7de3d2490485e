package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.DequantizeLinear is the DequantizeLinear of the standard, which had fewer types once.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsDequantizeLinear = opdef.Def{
	Type:   "DequantizeLinear",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("DequantizeLinear", "x:T1 x_scale:T2 x_zero_point?:T1", "y:T2", "T1=int8,uint8,int16,uint16,int32,int4,uint4 T2=float16,float", "axis:int"),
	Body:   lowered(func(b lowering) error { return b.finish(b.Op("DequantizeLinear", b.Node.Inputs(), b.kept("axis")...)) }),
}
