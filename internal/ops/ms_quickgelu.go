package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.QuickGelu: X * Sigmoid(alpha * X), alpha 1.702 by default: the standard's Swish.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQuickGelu = opdef.Def{
	Type:   "QuickGelu",
	Domain: msDomain,
	Schema: contrib("QuickGelu", "X:T", "Y:T", msReals, "alpha:float"),
	Body: lowered(func(b lowering) error {
		return b.finish(b.Op("Swish", values{b.in(0)}, onnx.Float("alpha", b.Node.Float("alpha", 1.702))))
	}),
}
