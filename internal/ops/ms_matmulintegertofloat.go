package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.MatMulIntegerToFloat: the exact product of A and B, 8-bit integers less their zero points, times the product of the
// scales, plus bias.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsMatMulIntegerToFloat = opdef.Def{
	Type:   "MatMulIntegerToFloat",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("MatMulIntegerToFloat", "A:T1 B:T2 a_scale:T3 b_scale:T3 a_zero_point?:T1 b_zero_point?:T2 bias?:T3", "Y:T3",
		"T1=int8,uint8 T2=int8,uint8 T3=float,float16", ""),
	Body: lowered(func(b lowering) error {
		y := b.integerProduct(b.in(0), b.in(1), b.in(2), b.in(3), b.in(4), b.in(5))
		return b.finish(b.sum(b.cast(y, b.elem(2)), b.in(6)))
	}),
}
