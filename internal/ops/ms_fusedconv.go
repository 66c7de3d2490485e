package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.FusedConv: Conv, to which Z is added where present, with an activation behind it: Relu, LeakyRelu, Tanh,
// Sigmoid, HardSigmoid, HardSwish, Silu or Clip, whose parameters are activation_params.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsFusedConv = opdef.Def{
	Type:   "FusedConv",
	Domain: msDomain,
	Schema: contrib("FusedConv", "X:T W:T B?:T Z?:T", "Y:T", "T=float,double,float16", convAttrs+" activation:string activation_params:floats"),
	Body: lowered(func(b lowering) error {
		y, err := b.fusedConv(b.in(0), b.in(3))
		if err != nil {
			return err
		}
		return b.finish(y)
	}),
}

// convAttrs are the attributes of Conv.
const convAttrs = "auto_pad:string dilations:ints group:int kernel_shape:ints pads:ints strides:ints"

// fusedConv is the convolution of x with inputs 1 and 2, plus z, with the activation that the attributes say.
func (b lowering) fusedConv(x, z *onnx.Value) (*onnx.Value, error) {
	y := b.sum(b.Op("Conv", values{x, b.in(1), b.in(2)}, b.kept(windowAttrs...)...), z)
	params := b.Node.Attr("activation_params")
	return b.activated(y, b.Node.Str("activation", ""), func(i int, def float32) float32 {
		if params != nil && i < len(params.Floats) {
			return params.Floats[i]
		}
		return def
	})
}
