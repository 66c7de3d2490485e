package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// SimplifiedLayerNormalization is the RMSNormalization of ONNX Runtime. It stands in the default domain, though the standard
// has no operator of the name. inv_std_var is given for the last axis only.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsSimplifiedLayerNormalization = opdef.Def{
	Type:   "SimplifiedLayerNormalization",
	Schema: simplifiedSchema(),
	Body: lowered(func(b lowering) error {
		axis, epsilon := b.Node.Int("axis", -1), b.Node.Float("epsilon", 1e-5)
		y := b.Op("RMSNormalization", values{b.in(0), b.in(1)}, onnx.Int("axis", axis), onnx.Float("epsilon", epsilon))
		var inverse *onnx.Value
		if b.wants(1) {
			r, err := b.rank(b.in(0))
			if err != nil {
				return err
			}
			if at, err := opdef.Axis(axis, r); err != nil || at != r-1 {
				return onnx.Unsupportedf("output 1 (inv_std_var) is supported for the last axis only, received axis %d", axis)
			}
			inverse = b.inverseRMS(b.in(0), axis, epsilon)
		}
		return b.finish(y, inverse)
	}),
}

func simplifiedSchema() *schema.Schema {
	s := contrib("SimplifiedLayerNormalization", "X:T scale:V", "Y:V inv_std_var?:U",
		msReals+" V=float,double,float16,bfloat16 U=float,double", "axis:int epsilon:float stash_type:int")
	s.Domain = ""
	return s
}
