package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.QuantizeLinear is the QuantizeLinear of the standard, which had fewer types once.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQuantizeLinear = opdef.Def{
	Type:   "QuantizeLinear",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QuantizeLinear", "x:T1 y_scale:T1 y_zero_point?:T2", "y:T2", "T1=float16,float T2=int8,uint8,int16,uint16,int4,uint4", "axis:int"),
	Body:   lowered(func(b lowering) error { return b.finish(b.Op("QuantizeLinear", b.Node.Inputs(), b.kept("axis")...)) }),
}
