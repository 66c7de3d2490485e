package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.NhwcConv: Conv of images whose channels stand last; the weights are those of Conv.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsNhwcConv = opdef.Def{
	Type:   "NhwcConv",
	Domain: msDomain,
	Schema: contrib("NhwcConv", "X:T W:T B?:T", "Y:T", "T=float,double,float16", convAttrs),
	Body: lowered(func(b lowering) error {
		y, err := b.channelsLast(b.in(0), true, func(x *onnx.Value) (*onnx.Value, error) { return b.fusedConv(x, nil) })
		if err != nil {
			return err
		}
		return b.finish(y)
	}),
}
