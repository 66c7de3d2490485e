package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.BiasGelu: Gelu(A + B), where B is a vector as long as A's last axis.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsBiasGelu = opdef.Def{
	Type:   "BiasGelu",
	Domain: msDomain,
	Schema: contrib("BiasGelu", "A:T B:T", "C:T", msReals, ""),
	Body:   lowered(func(b lowering) error { return b.finish(b.do("Gelu", b.do("Add", b.in(0), b.in(1)))) }),
}
