package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.QLinearConcat: Concat of quantized tensors, each with a scale and a zero point behind it, computed in float32.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQLinearConcat = opdef.Def{
	Type:   "QLinearConcat",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QLinearConcat", "Y_scale:TF Y_zero_point:T8 inputs*:TV", "Y:T8", "TF=float T8=uint8,int8 TV=uint8,int8,float", "axis!:int"),
	Body: lowered(func(b lowering) error {
		if b.Node.NumIn()%3 != 2 {
			return onnx.Invalidf("expected three inputs for each tensor, received %d", b.Node.NumIn()-2)
		}
		var parts values
		for i := 2; i < b.Node.NumIn(); i += 3 {
			parts = append(parts, b.real(b.in(i), b.in(i+1), b.in(i+2)))
		}
		return b.finish(b.quantized(b.concat(b.Node.Int("axis", 0), parts...), b.in(0), b.in(1), b.elem(1)))
	}),
}
