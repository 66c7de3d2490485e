package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.MultiHeadAttention: attention of heads that lie behind one another, [batch, length, heads·size]. Q, K and V may
// also come packed in query, [batch, length, heads, 3, size], K and V packed in key, [batch, length, heads, 2, size], or be
// heads of their own, [batch, heads, length, size]. bias is added to Q, K and V before. key_padding_mask is that of
// com.microsoft.Attention.
//
// The output qk, past_sequence_length and cache_indirection are not supported.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsMultiHeadAttention = opdef.Def{
	Type:   "MultiHeadAttention",
	Domain: msDomain,
	Schema: multiHeadSchema,
	Body:   lowered(multiHead),
}

var multiHeadSchema = contrib("MultiHeadAttention",
	"query:T key?:T value?:T bias?:T key_padding_mask?:M attention_bias?:T past_key?:T past_value?:T past_sequence_length?:M cache_indirection?:M",
	"output:T present_key?:T present_value?:T qk?:QK", msFloats+" QK=float,float16,bfloat16 M=int32",
	"mask_filter_value:float num_heads!:int scale:float unidirectional:int")

func multiHead(b lowering) error {
	if err := b.absent(multiHeadSchema, 8, 9); err != nil {
		return err
	}
	if b.wants(3) {
		return onnx.Unsupportedf("output 3 (qk) is not supported")
	}
	q, k, v, err := b.unpacked()
	if err != nil {
		return err
	}
	own, err := b.rank(k)
	if err != nil {
		return err
	}
	if q, k, v, err = b.biased(q, k, v, own == 4); err != nil {
		return err
	}
	n := b.Node.Int("num_heads", 0)
	a := heads{q: n, kv: n, causal: b.Node.Int("unidirectional", 0), pastK: b.in(6), pastV: b.in(7)}
	total := b.dim(k, int64(own)-2)
	if own == 3 {
		total = b.dim(k, 1)
	}
	if a.pastK != nil {
		total = b.do("Add", total, b.dim(a.pastK, 2))
	}
	padding, err := b.padding(b.in(4), b.dim(q, 0), total, q.Type.Elem)
	if err != nil {
		return err
	}
	a.mask = b.sum(padding, b.in(5))
	if own == 4 {
		q = b.apart(q, n)
	}
	y := b.attend(a, q, k, v)
	if own == 4 {
		y[0] = b.together(y[0])
	}
	return b.finish(y...)
}

// unpacked is Q, K and V, of rank 3 unless K and V are heads of their own.
func (b lowering) unpacked() (q, k, v *onnx.Value, err error) {
	q, k, v = b.in(0), b.in(1), b.in(2)
	flat := func(v *onnx.Value, i int64) *onnx.Value { return b.sized(b.part(v, 3, i), 0, 0, -1) }
	switch {
	case k == nil && v == nil:
		r, err := b.rank(q)
		if err == nil && r != 5 {
			err = onnx.Invalidf("expected a packed query of rank 5, received %v", q.Type)
		}
		return flat(q, 0), flat(q, 1), flat(q, 2), err
	case k == nil:
		return nil, nil, nil, onnx.Invalidf("input 1 (key) is missing")
	case v == nil:
		r, err := b.rank(k)
		if err == nil && r != 5 {
			err = onnx.Invalidf("expected a packed key of rank 5, received %v", k.Type)
		}
		return q, flat(k, 0), flat(k, 1), err
	}
	return q, k, v, nil
}

// biased adds the parts of bias, which K and V do not have where they are heads of their own.
func (b lowering) biased(q, k, v *onnx.Value, own bool) (_, _, _ *onnx.Value, err error) {
	bias := b.in(3)
	if bias == nil {
		return q, k, v, nil
	}
	width, err := b.fixed(q, 2)
	if err != nil {
		return nil, nil, nil, err
	}
	all, err := b.fixed(bias, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	if all < 2*width {
		return nil, nil, nil, onnx.Invalidf("expected a bias of at least %d numbers, received %d", 2*width, all)
	}
	parts := b.split(bias, 0, width, width, all-2*width)
	if q = b.do("Add", q, parts[0]); own {
		return q, k, v, nil
	}
	return q, b.do("Add", k, parts[1]), b.do("Add", v, parts[2]), nil
}

// apart is heads that lie behind one another as [batch, heads, length, size].
func (b lowering) apart(v *onnx.Value, heads int64) *onnx.Value {
	return b.transpose(b.sized(v, 0, 0, heads, -1), 0, 2, 1, 3)
}

// together undoes apart.
func (b lowering) together(v *onnx.Value) *onnx.Value {
	return b.sized(b.transpose(v, 0, 2, 1, 3), 0, 0, -1)
}
