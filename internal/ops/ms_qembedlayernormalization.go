package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.QEmbedLayerNormalization is com.microsoft.EmbedLayerNormalization whose tables, gamma and beta are 8-bit
// integers, each with a scale and a zero point.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsQEmbedLayerNormalization = opdef.Def{
	Type:   "QEmbedLayerNormalization",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("QEmbedLayerNormalization",
		"input_ids:T1 segment_ids?:T1 word_embedding_quant:T2 position_embedding_quant:T2 segment_embedding?:T2 gamma_quant:T2 beta_quant:T2 mask?:T1 "+
			"word_embedding_scale:T position_embedding_scale:T segment_embedding_scale?:T gamma_scale:T beta_scale:T "+
			"word_embedding_zero_point:T2 position_embedding_zero_point:T2 segment_embedding_zero_point?:T2 gamma_zero_point:T2 beta_zero_point:T2",
		"layernorm_out:T mask_index_out:T1", "T1=int32 T2=int8,uint8 T=float", "epsilon:float"),
	Body: lowered(func(b lowering) error {
		ids := b.in(0)
		// Entries are looked up before they become float, so that a large table stays as small as it is.
		entries := func(i int, at *onnx.Value) *onnx.Value {
			return b.real(b.do("Gather", b.in(i), at), b.in(i+6), b.in(i+11))
		}
		sum := b.do("Add", entries(2, ids), entries(3, b.count(b.dim(ids, 1))))
		if b.in(1) != nil && b.in(4) != nil {
			sum = b.do("Add", sum, entries(4, b.in(1)))
		}
		gamma, beta := b.real(b.in(5), b.in(11), b.in(16)), b.real(b.in(6), b.in(12), b.in(17))
		y := b.Op("LayerNormalization", values{sum, gamma, beta}, onnx.Int("axis", -1), onnx.Float("epsilon", b.Node.Float("epsilon", 1e-12)))
		return b.finish(y, b.maskIndex(ids))
	}),
}
