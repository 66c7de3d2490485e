package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.Pad is the Pad of the standard, whose pads may have rank 2 here.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsPad = opdef.Def{
	Type:   "Pad",
	Domain: msDomain,
	Schema: contrib("Pad", "data:T pads:int64 value?:T", "output:T", "T=float16,float,double", "mode:string"),
	Body: lowered(func(b lowering) error {
		value := b.in(2)
		if value != nil {
			value = b.do("Squeeze", value)
		}
		return b.finish(b.Op("Pad", values{b.in(0), b.sized(b.in(1), -1), value}, b.kept("mode")...))
	}),
}
