package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.RotaryEmbedding is the RotaryEmbedding of the standard with other inputs: position_ids stand second and may be one
// number, the position of the first element of each sequence; the caches are [positions, half]. An input of rank 3 without
// num_heads has heads of twice a cache's columns. is_packed_batching and scale are not supported.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsRotaryEmbedding = opdef.Def{
	Type:   "RotaryEmbedding",
	Domain: msDomain,
	Schema: contrib("RotaryEmbedding", "input:T position_ids:M cos_cache:T sin_cache:T", "output:T", msFloats+" M=int64",
		"interleaved:int is_packed_batching:int num_heads:int rotary_embedding_dim:int scale:float"),
	Body: lowered(func(b lowering) error {
		if err := b.refuse(0, "is_packed_batching"); err != nil {
			return err
		}
		if s := b.Node.Float("scale", 1); s != 1 {
			return onnx.Unsupportedf("attribute scale: %v is not supported", s)
		}
		x := b.in(0)
		r, err := b.rank(x)
		if err != nil {
			return err
		}
		half, err := b.fixed(b.in(2), 1)
		if err != nil {
			return err
		}
		heads := b.Node.Int("num_heads", 0)
		if r == 3 && heads == 0 {
			width, err := b.fixed(x, 2)
			if err != nil {
				return err
			}
			heads = width / max(1, 2*half)
		}
		return b.finish(b.rotated(x, b.positions(x, r), b.in(2), b.in(3), heads, 2*half, b.Node.Int("interleaved", 0)))
	}),
}

// positions is input 1 as one number for each element of each sequence of x, which has rank r.
func (b lowering) positions(x *onnx.Value, r int) *onnx.Value {
	ids := b.in(1)
	if t := ids.Type; t.Ranked && len(t.Shape) == 2 {
		return ids
	}
	batch, length := b.dim(x, 0), b.dim(x, int64(r)-2)
	return b.do("Expand", b.do("Add", b.sized(ids, 1, 1), b.unsqueezed(b.count(length), 0)), b.concat(0, batch, length))
}

// rotated is RotaryEmbedding of x, of which the first dim numbers of each head turn.
func (b lowering) rotated(x, positions, cos, sin *onnx.Value, heads, dim, interleaved int64) *onnx.Value {
	return b.Op("RotaryEmbedding", values{x, cos, sin, positions},
		onnx.Int("num_heads", heads), onnx.Int("rotary_embedding_dim", dim), onnx.Int("interleaved", interleaved))
}
