package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.QAttention is com.microsoft.Attention whose input and weights are 8-bit integers: their exact product is scaled
// to float32 and bias is added, the rest is computed in that.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQAttention = opdef.Def{
	Type:   "QAttention",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QAttention",
		"input:T1 weight:T2 bias:T3 input_scale:T3 weight_scale:T3 mask_index?:T4 input_zero_point?:T1 weight_zero_point?:T2 past?:T3",
		"output:T3 present?:T3", "T1=int8,uint8 T2=int8,uint8 T3=float,float16 T4=int32",
		"do_rotary:int mask_filter_value:float num_heads!:int past_present_share_buffer:int scale:float unidirectional:int"),
	Body: lowered(func(b lowering) error {
		x := b.cast(b.integerProduct(b.in(0), b.in(1), b.in(3), b.in(4), b.in(6), b.in(7)), b.elem(2))
		return b.selfAttention(b.sum(x, b.in(2)), b.in(5), b.in(8), nil)
	}),
}
