package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.QGemm: alpha·A·B + C of quantized matrices, either of which may be transposed. The sums are exact int32, C, which is
// int32, among them; y is their product with alpha and the scales, in float32, or quantized where y_scale is present.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQGemm = opdef.Def{
	Type:   "QGemm",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QGemm", "A:TA a_scale:T a_zero_point:TA B:TB b_scale:T b_zero_point:TB C?:TC y_scale?:T y_zero_point?:TYZ", "Y:TY",
		"T=float TA=uint8,int8 TB=uint8,int8 TC=int32 TYZ=uint8,int8 TY=float,uint8,int8", "alpha:float transA:int transB:int"),
	Body: lowered(func(b lowering) error {
		a, w := b.in(0), b.in(3)
		if b.Node.Int("transA", 0) != 0 {
			a = b.transpose(a, 1, 0)
		}
		if b.Node.Int("transB", 0) != 0 {
			w = b.transpose(w, 1, 0)
		}
		sums := b.sum(b.Op("MatMulInteger", values{a, w, b.in(2), b.in(5)}), b.in(6))
		scale := b.do("Mul", b.do("Mul", b.in(1), b.in(4)), b.f32(b.Node.Float("alpha", 1)))
		y := b.do("Mul", b.cast(sums, onnx.Float32), scale)
		if b.in(7) != nil {
			e := b.elem(0)
			if b.in(8) != nil {
				e = b.elem(8)
			}
			y = b.quantized(y, b.in(7), b.in(8), e)
		}
		return b.finish(y)
	}),
}
