package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.QLinearAdd: A + B of quantized tensors, which broadcast, computed in float32.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQLinearAdd = opdef.Def{
	Type:   "QLinearAdd",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QLinearAdd", "A:T A_scale:float A_zero_point?:T B:T B_scale:float B_zero_point?:T C_scale:float C_zero_point?:T", "C:T", msBytes, ""),
	Body:   lowered(betweenTwo("Add")),
}
