package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.GroupQueryAttention: attention in which a head of K and V serves several heads of Q, with the cache of a
// decoder. Heads lie behind one another, [batch, length, heads·size]; without key, query has Q, K and V behind one another.
//
// With T = seqlens_k + 1 tokens of a sequence, of which P = max(T - length, 0) stand in past_key and past_value, [batch, heads,
// room, size], the new ones are put behind those, at P. The room of the present is that of the past, or
// total_sequence_length where that is more; what lies behind T is not defined. A query sees the keys up to its own position and
// no further back than local_window_size. do_rotary turns Q and K by their positions, after q_norm_weight and k_norm_weight,
// where present, have normalised each head. smooth_softmax and head_sink are one more score, 0 or the head's, that takes its
// part of the probability and has no value.
//
// Quantized caches, sliding_window_cache, query_seqlens, qk_output and keys that are heads of their own are not supported.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsGroupQueryAttention = opdef.Def{
	Type:   "GroupQueryAttention",
	Domain: msDomain,
	Schema: groupQuerySchema,
	Body:   lowered(groupQuery),
}

var groupQuerySchema = contrib("GroupQueryAttention",
	"query:T key?:T value?:T past_key?:T_CACHE past_value?:T_CACHE seqlens_k:M total_sequence_length:M cos_cache?:T sin_cache?:T "+
		"position_ids?:int64 attention_bias?:T head_sink?:T k_scale?:T_KV_SCALE v_scale?:T_KV_SCALE q_norm_weight?:T k_norm_weight?:T query_seqlens?:M",
	"output:T present_key?:T_CACHE present_value?:T_CACHE output_qk?:T",
	msFloats+" T_CACHE=float,float16,bfloat16,uint8,int8,float8e4m3fn T_KV_SCALE=float M=int32",
	"causal:int do_rotary:int k_norm_epsilon:float k_quant_type:string kv_cache_bit_width:int kv_num_heads!:int local_window_size:int "+
		"num_heads!:int q_norm_epsilon:float qk_norm_epsilon:float qk_output:int rotary_interleaved:int scale:float sliding_window_cache:int "+
		"smooth_softmax:int softcap:float v_quant_type:string")

func groupQuery(b lowering) error {
	if err := b.refuse(0, "sliding_window_cache", "qk_output", "kv_cache_bit_width"); err != nil {
		return err
	}
	if err := b.absent(groupQuerySchema, 12, 13, 16); err != nil {
		return err
	}
	if b.wants(3) {
		return onnx.Unsupportedf("output 3 (output_qk) is not supported")
	}
	g := queryGroups{lowering: b, q: b.Node.Int("num_heads", 0), kv: b.Node.Int("kv_num_heads", 0)}
	if g.q < 1 || g.kv < 1 {
		return onnx.Invalidf("expected num_heads and kv_num_heads of at least 1, received %d and %d", g.q, g.kv)
	}
	q, k, v, err := g.heads()
	if err != nil {
		return err
	}
	g.length = b.dim(b.in(0), 1)
	tokens := b.do("Add", b.cast(b.sized(b.in(5), -1), onnx.Int64), b.int(1))
	g.past = b.do("Max", b.do("Sub", tokens, g.length), b.int(0))
	g.tokens = tokens
	if q, k, err = g.turned(g.normal(q, 14, "q_norm_epsilon"), g.normal(k, 15, "k_norm_epsilon")); err != nil {
		return err
	}
	k, v = g.cached(k, 3), g.cached(v, 4)
	keys, vs, mask := g.withSink(k, v, g.mask(k))
	y := b.attend(heads{q: g.q, kv: g.kv, mask: mask}, q, keys, vs)
	return b.finish(b.together(y[0]), k, v)
}

// queryGroups writes GroupQueryAttention.
type queryGroups struct {
	lowering
	q, kv                int64       // heads
	length, past, tokens *onnx.Value // of the queries, of what is cached, of all: one number, and one for each sequence
}

// heads is Q, K and V as [batch, heads, length, size].
func (g queryGroups) heads() (q, k, v *onnx.Value, err error) {
	q, k, v = g.in(0), g.in(1), g.in(2)
	if k == nil {
		width, err := g.fixed(q, 2)
		if err != nil {
			return nil, nil, nil, err
		}
		size := width / (g.q + 2*g.kv)
		p := g.split(q, 2, g.q*size, g.kv*size, g.kv*size)
		q, k, v = p[0], p[1], p[2]
	}
	if v == nil {
		return nil, nil, nil, onnx.Invalidf("input 2 (value) is missing")
	}
	if r, err := g.rank(k); err != nil || r != 3 {
		return nil, nil, nil, onnx.Unsupportedf("keys of type %v are not supported, only those of rank 3", k.Type)
	}
	return g.apart(q, g.q), g.apart(k, g.kv), g.apart(v, g.kv), nil
}

// normal is v with each head normalised by the weights of input i, where that is present.
func (g queryGroups) normal(v *onnx.Value, i int, epsilon string) *onnx.Value {
	if g.in(i) == nil {
		return v
	}
	e := g.Node.Float(epsilon, g.Node.Float("qk_norm_epsilon", 1e-6))
	return g.Op("RMSNormalization", values{v, g.in(i)}, onnx.Int("axis", -1), onnx.Float("epsilon", e))
}

// turned is Q and K turned by their positions, where do_rotary says so.
func (g queryGroups) turned(q, k *onnx.Value) (_, _ *onnx.Value, err error) {
	if g.Node.Int("do_rotary", 0) == 0 {
		return q, k, nil
	}
	cos, sin, at := g.in(7), g.in(8), g.in(9)
	if cos == nil || sin == nil {
		return nil, nil, onnx.Invalidf("do_rotary needs cos_cache and sin_cache")
	}
	half, err := g.fixed(cos, 1)
	if err != nil {
		return nil, nil, err
	}
	if at == nil {
		at = g.at()
	}
	turn := func(v *onnx.Value, heads int64) *onnx.Value {
		return g.rotated(v, at, cos, sin, heads, 2*half, g.Node.Int("rotary_interleaved", 0))
	}
	return turn(q, g.q), turn(k, g.kv), nil
}

// at is the positions of the queries, [batch, length].
func (g queryGroups) at() *onnx.Value {
	return g.do("Add", g.unsqueezed(g.past, 1), g.unsqueezed(g.count(g.length), 0))
}

// cached puts v behind what input i holds of the past.
func (g queryGroups) cached(v *onnx.Value, i int) *onnx.Value {
	past := g.in(i)
	if past == nil {
		return v
	}
	room := g.dim(past, 2)
	more := g.do("Max", g.do("Sub", g.cast(g.sized(g.in(6), 1), onnx.Int64), room), g.int(0))
	none := g.ints(0, 0, 0, 0, 0, 0)
	padded := g.do("Pad", past, g.concat(0, none, more, g.ints(0)))
	return g.do("TensorScatter", padded, v, g.past)
}

// mask is what is added to the scores of keys k, [batch or 1, heads or 1, queries, keys], or truth values.
func (g queryGroups) mask(k *onnx.Value) *onnx.Value {
	at, key := g.unsqueezed(g.at(), 1, 3), g.count(g.dim(k, 2))
	var seen *onnx.Value
	if g.Node.Int("causal", 1) != 0 {
		seen = g.do("LessOrEqual", key, at)
	} else {
		seen = g.do("Less", key, g.unsqueezed(g.tokens, 1, 2, 3))
	}
	if w := g.Node.Int("local_window_size", -1); w > 0 {
		seen = g.do("And", seen, g.do("Greater", key, g.do("Sub", at, g.int(w))))
	}
	bias := g.in(10)
	if bias == nil {
		return seen
	}
	seen = g.Builder.Op("Slice", values{seen, g.ints(0), g.dim(bias, 3), g.ints(3)})
	return g.do("Where", seen, bias, g.num(bias.Type.Elem, negativeInfinity))
}

// withSink appends a key whose score is the head's sink, or 0 where smooth_softmax asks for it, and whose value is 0.
func (g queryGroups) withSink(k, v, mask *onnx.Value) (_, _, _ *onnx.Value) {
	sink := g.in(11)
	if sink == nil && g.Node.Int("smooth_softmax", -1) <= 0 {
		return k, v, mask
	}
	e := g.elem(0)
	if sink == nil {
		sink = g.do("Expand", g.num(e, 0), g.ints(g.q))
	}
	if mask.Type.Elem == onnx.Bool {
		mask = g.do("Where", mask, g.num(e, 0), g.num(e, negativeInfinity))
	}
	nothing := func(v *onnx.Value) *onnx.Value {
		return g.do("Expand", g.num(e, 0), g.concat(0, g.dim(v, 0), g.ints(g.kv, 1), g.dim(v, 3)))
	}
	batch, length, keys := g.dim(k, 0), g.length, g.dim(mask, 3)
	mask = g.do("Expand", mask, g.concat(0, batch, g.ints(g.q), length, keys))
	last := g.do("Expand", g.unsqueezed(g.sized(sink, -1), 0, 2, 3), g.concat(0, batch, g.ints(g.q), length, g.ints(1)))
	// A mask may lack the last keys, which must not count before the sink does.
	missing := g.do("Sub", g.dim(k, 2), keys)
	hidden := g.do("Expand", g.num(e, negativeInfinity), g.concat(0, batch, g.ints(g.q), length, missing))
	return g.concat(2, k, nothing(k)), g.concat(2, v, nothing(v)), g.concat(3, mask, hidden, last)
}
