package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// com.microsoft.FusedGemm: Gemm with an activation behind it: Relu, LeakyRelu, Elu, Tanh, Sigmoid, HardSigmoid or Clip, whose
// parameters are activation_alpha and activation_beta.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsFusedGemm = opdef.Def{
	Type:   "FusedGemm",
	Domain: msDomain,
	Schema: contrib("FusedGemm", "A:T B:T C?:T", "Y:T", "T=float,double,float16,int32,int64,uint32,uint64",
		"alpha:float beta:float transA:int transB:int activation:string activation_alpha:float activation_beta:float activation_gamma:float"),
	Body: lowered(func(b lowering) error {
		y := b.Op("Gemm", b.Node.Inputs(), b.kept("alpha", "beta", "transA", "transB")...)
		y, err := b.activated(y, b.Node.Str("activation", ""), func(i int, def float32) float32 {
			return b.Node.Float([]string{"activation_alpha", "activation_beta"}[i], def)
		})
		if err != nil {
			return err
		}
		return b.finish(y)
	}),
}
