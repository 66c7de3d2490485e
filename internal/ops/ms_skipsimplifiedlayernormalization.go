package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.SkipSimplifiedLayerNormalization: RMSNormalization along the last axis of the sum of input, skip and, where
// present, bias. The sum is the fourth output. The output mean, which has no meaning here, is not supported.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsSkipSimplifiedLayerNormalization = opdef.Def{
	Type:   "SkipSimplifiedLayerNormalization",
	Domain: msDomain,
	Schema: contrib("SkipSimplifiedLayerNormalization", "input:T skip:T gamma:T bias?:T", "output:T mean?:U inv_std_var?:U input_skip_bias_sum?:T", msFloats+" U=float", "epsilon:float"),
	Body: lowered(func(b lowering) error {
		if v := b.Node.Out(1); v != nil && v.Used() {
			return onnx.Unsupportedf("output 1 (mean) is not supported")
		}
		epsilon := b.Node.Float("epsilon", 1e-12)
		sum := b.sum(b.in(0), b.in(1), b.in(3))
		y := b.Op("RMSNormalization", values{sum, b.in(2)}, onnx.Int("axis", -1), onnx.Float("epsilon", epsilon))
		var inverse *onnx.Value
		if b.wants(2) {
			inverse = b.inverseRMS(sum, -1, epsilon)
		}
		return b.finish(y, nil, inverse, sum)
	}),
}

// inverseRMS is 1/√(mean(v²) + epsilon) in float32, along the axes from axis on.
func (b lowering) inverseRMS(v *onnx.Value, axis int64, epsilon float32) *onnx.Value {
	v = b.cast(v, onnx.Float32)
	mean := b.reduce("ReduceMean", b.do("Mul", v, v), axis)
	return b.do("Reciprocal", b.do("Sqrt", b.do("Add", mean, b.f32(epsilon))))
}
