package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.EmbedLayerNormalization: LayerNormalization of the sum of the embeddings of words, positions and, where
// present, segments: the first layer of BERT. Without position_ids positions count from 0. mask_index is how many entries of
// each row of mask are 1, 0 without mask.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsEmbedLayerNormalization = opdef.Def{
	Type:   "EmbedLayerNormalization",
	Domain: msDomain,
	Schema: contrib("EmbedLayerNormalization",
		"input_ids:T1 segment_ids?:T1 word_embedding:T position_embedding:T segment_embedding?:T gamma:T beta:T mask?:T1 position_ids?:T1",
		"output:T mask_index?:T1 embedding_sum?:T", "T1=int32 T=float,float16", "epsilon:float mask_index_type:int"),
	Body: lowered(func(b lowering) error {
		ids, positions := b.in(0), b.in(8)
		if positions == nil {
			positions = b.count(b.dim(ids, 1))
		}
		sum := b.do("Add", b.do("Gather", b.in(2), ids), b.do("Gather", b.in(3), positions))
		if b.in(1) != nil && b.in(4) != nil {
			sum = b.do("Add", sum, b.do("Gather", b.in(4), b.in(1)))
		}
		y := b.Op("LayerNormalization", values{sum, b.in(5), b.in(6)}, onnx.Int("axis", -1), onnx.Float("epsilon", b.Node.Float("epsilon", 1e-12)))
		return b.finish(y, b.maskIndex(ids), sum)
	}),
}

// maskIndex counts the ones in each row of input 7.
func (b lowering) maskIndex(ids *onnx.Value) *onnx.Value {
	if !b.wants(1) {
		return nil
	}
	if mask := b.in(7); mask != nil {
		ones := b.cast(b.do("Equal", mask, b.Builder.Const(onnx.Scalar[int32](1))), onnx.Int32)
		return b.Op("ReduceSum", values{ones, b.ints(1)}, onnx.Int("keepdims", 0))
	}
	return b.do("Expand", b.Builder.Const(onnx.Scalar[int32](0)), b.dim(ids, 0))
}
