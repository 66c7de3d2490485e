package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.Trilu is the Trilu of the standard.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsTrilu = opdef.Def{
	Type:   "Trilu",
	Domain: msDomain,
	Schema: contrib("Trilu", "X:T k?:int64", "Y:T", "T=float16,float,double,bfloat16,uint8,uint16,uint32,uint64,int8,int16,int32,int64,bool", "upper:int"),
	Body:   lowered(func(b lowering) error { return b.finish(b.Op("Trilu", b.Node.Inputs(), b.kept("upper")...)) }),
}
