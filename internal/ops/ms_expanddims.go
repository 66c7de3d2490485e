package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.ExpandDims: Unsqueeze by one axis.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsExpandDims = opdef.Def{
	Type:   "ExpandDims",
	Domain: msDomain,
	Schema: contrib("ExpandDims", "X:T axis:int32", "Y:T", msAny, ""),
	Body: lowered(func(b lowering) error {
		return b.finish(b.do("Unsqueeze", b.in(0), b.sized(b.cast(b.in(1), onnx.Int64), 1)))
	}),
}
