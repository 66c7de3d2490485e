package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.QLinearMul: A * B of quantized tensors, which broadcast, computed in float32.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQLinearMul = opdef.Def{
	Type:   "QLinearMul",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QLinearMul", "A:T A_scale:float A_zero_point?:T B:T B_scale:float B_zero_point?:T C_scale:float C_zero_point?:T", "C:T", msBytes, ""),
	Body:   lowered(betweenTwo("Mul")),
}
