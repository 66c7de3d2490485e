package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.TransposeMatMul is the former name of FusedMatMul, without transBatchA and transBatchB.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsTransposeMatMul = opdef.Def{
	Type:   "TransposeMatMul",
	Domain: msDomain,
	Schema: contrib("TransposeMatMul", "A:T B:T", "Y:T", msReals, "alpha:float transA:int transB:int"),
	Body:   lowered(fusedMatMul),
}
