package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.Attention: self-attention with the projection before it: Q, K and V are the parts of input·weights + bias, cut
// by qkv_hidden_sizes or into thirds, which the standard's Attention takes. mask_index says which keys count; it has 0 for
// those that do not, [batch, keys] or [batch, queries, keys], or is the number of keys of each sequence, [batch], behind which
// the first of them may stand, [2·batch]. What does not count gets mask_filter_value (-10000) added, so that a query
// without any key has the mean of all. past and present hold K and V behind each other, [2, batch, heads, length, size].
//
// do_rotary, shared buffers and masks of rank 4 are not supported.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsAttention = opdef.Def{
	Type:   "Attention",
	Domain: msDomain,
	Schema: attentionSchema,
	Body: lowered(func(b lowering) error {
		if err := b.absent(attentionSchema, 6); err != nil {
			return err
		}
		x := b.sum(b.do("MatMul", b.in(0), b.in(1)), b.in(2))
		return b.selfAttention(x, b.in(3), b.in(4), b.in(5))
	}),
}

var attentionSchema = contrib("Attention",
	"input:T weights:T bias?:T mask_index?:M past?:T attention_bias?:T past_sequence_length?:M", "output:T present?:T", msFloats+" M=int32",
	"do_rotary:int mask_filter_value:float num_heads!:int past_present_share_buffer:int qkv_hidden_sizes:ints rotary_embedding_dim:int scale:float unidirectional:int")

// selfAttention is Attention and QAttention behind the projection x of Q, K and V.
func (b lowering) selfAttention(x, mask, past, bias *onnx.Value) error {
	if err := b.refuse(0, "do_rotary", "past_present_share_buffer"); err != nil {
		return err
	}
	sizes, ok := b.Node.Ints("qkv_hidden_sizes")
	if !ok || len(sizes) == 0 {
		width, err := b.fixed(x, 2)
		if err != nil {
			return err
		}
		sizes = []int64{width / 3, width / 3, width / 3}
	}
	if len(sizes) != 3 {
		return onnx.Invalidf("attribute qkv_hidden_sizes: expected 3 sizes, received %v", sizes)
	}
	a := heads{q: b.Node.Int("num_heads", 0), kv: b.Node.Int("num_heads", 0), causal: b.Node.Int("unidirectional", 0)}
	parts := b.split(x, 2, sizes...)
	total := b.dim(x, 1)
	if past != nil {
		a.pastK, a.pastV = b.part(past, 0, 0), b.part(past, 0, 1)
		total = b.do("Add", total, b.dim(a.pastK, 2))
	}
	padding, err := b.padding(mask, b.dim(x, 0), total, x.Type.Elem)
	if err != nil {
		return err
	}
	a.mask = b.sum(padding, bias)
	y := b.attend(a, parts[0], parts[1], parts[2])
	var present *onnx.Value
	if b.wants(1) {
		present = b.concat(0, b.unsqueezed(y[1], 0), b.unsqueezed(y[2], 0))
	}
	return b.finish(y[0], present)
}

// heads is what attend is asked for besides Q, K and V; values may be nil.
type heads struct {
	q, kv, causal      int64
	mask, pastK, pastV *onnx.Value
}

// attend is the standard's Attention: its outputs Y, present keys and present values. The attributes scale and softcap are the
// node's, where 0 stands for the default.
func (b lowering) attend(a heads, q, k, v *onnx.Value) values {
	attrs := []onnx.Attribute{onnx.Int("q_num_heads", a.q), onnx.Int("kv_num_heads", a.kv), onnx.Int("is_causal", a.causal)}
	if scale := b.Node.Float("scale", 0); scale != 0 {
		attrs = append(attrs, onnx.Float("scale", scale))
	}
	if limit := b.Node.Float("softcap", 0); limit != 0 {
		attrs = append(attrs, onnx.Float("softcap", limit))
	}
	outs := 1
	if a.pastK != nil || b.wants(1) || b.wants(2) {
		outs = 3
	}
	y := b.Builder.Node("", "Attention", outs, values{q, k, v, a.mask, a.pastK, a.pastV}, attrs...).Outputs()
	for len(y) < 3 {
		y = append(y, nil)
	}
	return y
}

// padding turns a mask of the kinds that Attention describes into what is added to the scores, which broadcasts to [batch,
// heads, queries, keys]; nil without mask. total is how many keys there are.
func (b lowering) padding(mask, batch, total *onnx.Value, e onnx.ElemType) (*onnx.Value, error) {
	if mask == nil {
		return nil, nil
	}
	r, err := b.rank(mask)
	if err != nil {
		return nil, err
	}
	zero := b.Builder.Const(onnx.Scalar[int32](0))
	var counts *onnx.Value
	switch r {
	case 1:
		counts, err = b.within(mask, total)
	case 2:
		counts = b.do("Greater", b.unsqueezed(mask, 1, 2), zero)
	case 3:
		counts = b.do("Greater", b.unsqueezed(mask, 1), zero)
	default:
		return nil, onnx.Unsupportedf("a mask of rank %d is not supported", r)
	}
	if err != nil {
		return nil, err
	}
	return b.do("Where", counts, b.num(e, 0), b.num(e, b.Node.Float("mask_filter_value", -10000))), nil
}

// within says which of total keys lie before the ends in mask, and behind the starts that may follow them.
func (b lowering) within(mask, total *onnx.Value) (*onnx.Value, error) {
	if r, err := b.rank(b.in(0)); err != nil || r == 0 {
		return nil, onnx.Invalidf("expected an input of rank 3, received %v", b.in(0).Type)
	}
	batch, length := b.in(0).Type.Shape[0], mask.Type.Shape[0]
	keys := b.cast(b.count(total), onnx.Int32)
	column := func(v *onnx.Value) *onnx.Value { return b.unsqueezed(v, 1, 2, 3) }
	switch {
	case length.Same(batch) || !length.IsFixed():
		return b.do("Less", keys, column(mask)), nil
	case !batch.IsFixed():
		return nil, onnx.Unsupportedf("a mask of %d sequence lengths needs a known batch size", length.N)
	case length.N == 2*batch.N:
		ends := b.split(mask, 0, batch.N, batch.N)
		return b.do("And", b.do("Less", keys, column(ends[0])), b.do("GreaterOrEqual", keys, column(ends[1]))), nil
	}
	return nil, onnx.Unsupportedf("a mask of %d numbers for %d sequences is not supported", length.N, batch.N)
}
