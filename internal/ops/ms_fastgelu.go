package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.FastGelu: the tanh form of Gelu of X + bias, where the bias is a vector and may be absent.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsFastGelu = opdef.Def{
	Type:   "FastGelu",
	Domain: msDomain,
	Schema: contrib("FastGelu", "X:T bias?:T", "Y:T", msReals, ""),
	Body: lowered(func(b lowering) error {
		return b.finish(b.Op("Gelu", values{b.sum(b.in(0), b.in(1))}, onnx.Str("approximate", "tanh")))
	}),
}
