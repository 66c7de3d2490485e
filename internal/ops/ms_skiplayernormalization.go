package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.SkipLayerNormalization: LayerNormalization along the last axis of the sum of input, skip and, where present,
// bias. The sum is the fourth output.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsSkipLayerNormalization = opdef.Def{
	Type:   "SkipLayerNormalization",
	Domain: msDomain,
	Schema: contrib("SkipLayerNormalization", "input:T skip:T gamma:T beta?:T bias?:T", "output:T mean?:U inv_std_var?:U input_skip_bias_sum?:T", msFloats+" U=float", "epsilon:float"),
	Body: lowered(func(b lowering) error {
		sum := b.sum(b.in(0), b.in(1), b.in(4))
		outs := 1
		if b.wants(1) || b.wants(2) {
			outs = 3
		}
		y := b.Builder.Node("", "LayerNormalization", outs, values{sum, b.in(2), b.in(3)},
			onnx.Int("axis", -1), onnx.Float("epsilon", b.Node.Float("epsilon", 1e-12)))
		return b.finish(y.Out(0), y.Out(1), y.Out(2), sum)
	}),
}
