package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.Gelu is the exact Gelu of the standard.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsGelu = opdef.Def{
	Type:   "Gelu",
	Domain: msDomain,
	Schema: contrib("Gelu", "X:T", "Y:T", msReals, ""),
	Body:   lowered(func(b lowering) error { return b.finish(b.do("Gelu", b.in(0))) }),
}
