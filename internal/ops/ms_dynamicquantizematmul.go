package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.DynamicQuantizeMatMul: A, quantized to uint8 over its own range, times the quantized B, plus bias.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsDynamicQuantizeMatMul = opdef.Def{
	Type:   "DynamicQuantizeMatMul",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("DynamicQuantizeMatMul", "A:T1 B:T2 b_scale:T1 b_zero_point?:T2 bias?:T1", "Y:T1", "T1=float T2=int8,uint8", ""),
	Body: lowered(func(b lowering) error {
		a := b.Builder.Node("", "DynamicQuantizeLinear", 3, values{b.in(0)})
		return b.finish(b.sum(b.integerProduct(a.Out(0), b.in(1), a.Out(1), b.in(2), a.Out(2), b.in(3)), b.in(4)))
	}),
}
