package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.NhwcMaxPool: MaxPool of 8-bit images whose channels stand last.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsNhwcMaxPool = opdef.Def{
	Type:   "NhwcMaxPool",
	Domain: msDomain,
	Schema: contrib("NhwcMaxPool", "x:T", "y:T", msBytes, "auto_pad:string ceil_mode:int dilations:ints kernel_shape!:ints pads:ints strides:ints"),
	Body: lowered(func(b lowering) error {
		y, err := b.channelsLast(b.in(0), true, func(x *onnx.Value) (*onnx.Value, error) {
			return b.Op("MaxPool", values{x}, b.kept(windowAttrs...)...), nil
		})
		if err != nil {
			return err
		}
		return b.finish(y)
	}),
}
