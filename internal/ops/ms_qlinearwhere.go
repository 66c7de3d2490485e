package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.QLinearWhere: Where of quantized tensors, computed in float32.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQLinearWhere = opdef.Def{
	Type:   "QLinearWhere",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QLinearWhere", "condition:B X:T x_scale:TF x_zero_point:T Y:T y_scale:TF y_zero_point:T z_scale:TF z_zero_point:T", "Z:T", msBytes+" B=bool TF=float", ""),
	Body: lowered(func(b lowering) error {
		z := b.do("Where", b.in(0), b.real(b.in(1), b.in(2), b.in(3)), b.real(b.in(4), b.in(5), b.in(6)))
		return b.finish(b.quantized(z, b.in(7), b.in(8), b.elem(1)))
	}),
}
