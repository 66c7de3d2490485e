package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.Range is the Range of the standard, whose delta is 1 where it is absent.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsRange = opdef.Def{
	Type:   "Range",
	Domain: msDomain,
	Schema: contrib("Range", "start:T limit:T delta?:T", "Y:T", "T=float,double,int16,int32,int64", ""),
	Body: lowered(func(b lowering) error {
		delta := b.in(2)
		if delta == nil {
			delta = b.num(b.elem(0), 1)
		}
		return b.finish(b.do("Range", b.do("Squeeze", b.in(0)), b.do("Squeeze", b.in(1)), b.do("Squeeze", delta)))
	}),
}
