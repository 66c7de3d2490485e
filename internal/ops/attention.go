package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/attention"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Attention: Y = softmax(scale·Q·Kᵀ + mask)·V for each head, where a head of keys may serve several heads of queries. Inputs of
// rank 4 are [batch, heads, length, size], of rank 3 [batch, length, heads·size]. Past keys and values stand before K and V. A
// mask of truth values says which keys count; a shorter one masks the keys that it lacks. Query i is at position i + offset, the
// offset being the past length, or nonpad_kv_seqlen - length. A query that sees no key gives zeros. 16-bit types are rounded after
// each step, as the standard's body does.
//
// Opset 23 has no nonpad_kv_seqlen, 24 no windows; their meaning is that of the corrected text. Q, K and V of
// which only some are float64 are not supported.
var opAttention = opdef.Def{
	Type:    "Attention",
	Infer:   inferAttention,
	Compile: mixedFloats(attentionStep[float32], attentionStep[float64]),
	Grad:    gradAttention,
	Body:    bodyAttention,
}

// attentionSizes is the sizes of an Attention.
type attentionSizes struct {
	flat                        bool // rank 3
	batch, qHeads, kvHeads      int
	queries, fresh, past, d, dv int // fresh: the keys of K, without past ones
}

// keys is the number of keys, past ones included.
func (s *attentionSizes) keys() int { return s.past + s.fresh }

// attentionSizesOf checks the shapes of Q, K, V and of the past, which may be nil.
func attentionSizesOf(n *onnx.Node, q, k, v, pastK, pastV []int) (attentionSizes, error) {
	var s attentionSizes
	if len(q) != len(k) || len(q) != len(v) || len(q) != 3 && len(q) != 4 {
		return s, onnx.Invalidf("expected Q, K and V of rank 3 or 4, received shapes %v, %v and %v", slices.Clone(q), slices.Clone(k), slices.Clone(v))
	}
	s.flat = len(q) == 3
	qh, kh := 0, 0
	if s.flat {
		a, b := n.Int("q_num_heads", 0), n.Int("kv_num_heads", 0)
		if a < 1 || b < 1 || a > int64(q[2]) || b > int64(min(k[2], v[2])) || q[2]%int(a) != 0 || k[2]%int(b) != 0 || v[2]%int(b) != 0 {
			return s, onnx.Invalidf("shapes %v, %v and %v cannot be in %d heads of queries and %d of keys", slices.Clone(q), slices.Clone(k), slices.Clone(v), a, b)
		}
		qh, kh = int(a), int(b)
	}
	qs, ks, vs := inHeads(q, qh), inHeads(k, kh), inHeads(v, kh)
	s.batch, s.qHeads, s.queries, s.d = qs[0], qs[1], qs[2], qs[3]
	s.kvHeads, s.fresh, s.dv = ks[1], ks[2], vs[3]
	if ks != [4]int{s.batch, s.kvHeads, s.fresh, s.d} || vs != [4]int{s.batch, s.kvHeads, s.fresh, s.dv} {
		return s, onnx.Invalidf("heads of shapes %v, %v and %v do not fit together", qs, ks, vs)
	}
	if s.kvHeads < 1 || s.qHeads%s.kvHeads != 0 {
		return s, onnx.Invalidf("%d heads of queries are no multiple of %d heads of keys", s.qHeads, s.kvHeads)
	}
	if (pastK == nil) != (pastV == nil) {
		return s, onnx.Invalidf("past_key and past_value must come together")
	}
	if pastK == nil {
		return s, nil
	}
	if len(pastK) == 4 {
		s.past = pastK[2]
	}
	if len(pastK) != 4 || len(pastV) != 4 || [4]int(pastK) != [4]int{s.batch, s.kvHeads, s.past, s.d} || [4]int(pastV) != [4]int{s.batch, s.kvHeads, s.past, s.dv} {
		return s, onnx.Invalidf("a past of shapes %v and %v does not fit heads of shapes %v and %v", slices.Clone(pastK), slices.Clone(pastV), ks, vs)
	}
	return s, nil
}

// inHeads is the shape [batch, heads, length, size] of one of rank 4, or of rank 3 with that many heads.
func inHeads(s []int, heads int) [4]int {
	if len(s) == 4 {
		return [4]int(s)
	}
	return [4]int{s[0], heads, s[1], s[2] / heads}
}

func inferAttention(c *opdef.Infer) error {
	for i := range c.Outs {
		e := c.Elem(0)
		if i == 2 {
			e = c.Elem(2)
		}
		c.SetUnranked(i, e)
	}
	q, err := c.Shape(0)
	if err != nil {
		return err
	}
	k, err := c.Shape(1)
	if err != nil {
		return err
	}
	v, err := c.Shape(2)
	if err != nil {
		return err
	}
	if len(q) != len(k) || len(q) != len(v) || len(q) != 3 && len(q) != 4 {
		return onnx.Invalidf("expected Q, K and V of rank 3 or 4, received %v, %v and %v", c.Ins[0], c.Ins[1], c.Ins[2])
	}
	flat := len(q) == 3
	qh := onnx.Unknown
	if flat {
		a, b := c.Node.Int("q_num_heads", 0), c.Node.Int("kv_num_heads", 0)
		if a < 1 || b < 1 || a > math.MaxInt32 || b > math.MaxInt32 {
			return onnx.Invalidf("inputs of rank 3 need q_num_heads and kv_num_heads, received %d and %d", a, b)
		}
		kh := onnx.Fixed(int(b))
		qh = onnx.Fixed(int(a))
		split := func(s []onnx.Dim, h onnx.Dim) []onnx.Dim { return []onnx.Dim{s[0], h, s[1], sizeDim(divDims(s[2], h))} }
		q, k, v = split(q, qh), split(k, kh), split(v, kh)
	}
	total := k[2]
	if past, err := c.Shape(4); c.Has(4) {
		total = onnx.Unknown
		if err == nil && len(past) == 4 {
			total = sizeDim(addDims(past[2], k[2]))
		}
	}
	if flat {
		c.Set(0, c.Elem(0), q[0], q[2], mulDims(qh, v[3]))
	} else {
		c.Set(0, c.Elem(0), q[0], q[1], q[2], v[3])
	}
	c.Set(1, c.Elem(1), k[0], k[1], total, k[3])
	c.Set(2, c.Elem(2), v[0], v[1], total, v[3])
	c.Set(3, c.Elem(0), q[0], q[1], q[2], total)
	return nil
}

// attend is the state of an Attention step and of its gradient.
type attend[T gemm.Float] struct {
	attentionSizes
	layer   attention.Layer[T]
	bias    []T
	k, v    []T // past and fresh keys and values together, where no output has them
	dk, dv2 []T
	scaled  [2][]T // Q and K times the square root of the scale
}

// shapeAt is the shape of input i; nil when absent.
func shapeAt(in []opdef.View, i int) []int {
	if i >= len(in) || in[i].Absent() {
		return nil
	}
	return in[i].Shape
}

// sizesOf reads the sizes from the inputs.
func (s *attend[T]) sizesOf(n *onnx.Node, in []opdef.View) (err error) {
	s.attentionSizes, err = attentionSizesOf(n, shapeAt(in, 0), shapeAt(in, 1), shapeAt(in, 2), shapeAt(in, 4), shapeAt(in, 5))
	l := &s.layer
	l.Batch, l.QHeads, l.KVHeads, l.Queries, l.Keys, l.Dim, l.VDim = s.batch, s.qHeads, s.kvHeads, s.queries, s.keys(), s.d, s.dv
	return err
}

// heads is data of rank 3 or 4 as heads of the given size.
func (s *attend[T]) heads(data []T, heads, length, size int) attention.Heads[T] {
	if s.flat {
		return attention.Heads[T]{Data: data, Batch: length * heads * size, Head: size, Row: heads * size}
	}
	return attention.Heads[T]{Data: data, Batch: heads * length * size, Head: length * size, Row: size}
}

// joined is past and fresh positions behind each other, [batch, heads, length, size], in to.
func (s *attend[T]) joined(to, past []T, fresh attention.Heads[T], size int) attention.Heads[T] {
	all := s.keys() * size
	for h := range s.batch * s.kvHeads {
		row := to[h*all : (h+1)*all]
		n := copy(row, past[h*s.past*size:(h+1)*s.past*size])
		for i := range s.fresh {
			copy(row[n+i*size:n+(i+1)*size], fresh.Data[h/s.kvHeads*fresh.Batch+h%s.kvHeads*fresh.Head+i*fresh.Row:])
		}
	}
	return attention.Heads[T]{Data: to, Batch: s.kvHeads * all, Head: all, Row: size}
}

// keysOf is the keys (or values) to attend to: input fresh, with what stands before them. Where an output wants them, or there
// is a past, they are put together, in out or else in *own.
func (s *attend[T]) keysOf(r *opdef.Run, fresh, past int, out []T, own *[]T, size int) attention.Heads[T] {
	f := s.heads(opdef.Of[T](r.In[fresh]), s.kvHeads, s.fresh, size)
	if out == nil && s.past == 0 {
		return f
	}
	if out == nil {
		*own = sized(*own, s.batch*s.kvHeads*s.keys()*size)
		out = *own
	}
	return s.joined(out, inputOf[T](r, past), f, size)
}

// prepare sets the layer up from the inputs Q, K, V, attn_mask, past_key, past_value, nonpad_kv_seqlen.
func (s *attend[T]) prepare(r *opdef.Run, presentK, presentV []T) error {
	if err := s.sizesOf(r.Node, r.In[:min(7, len(r.In))]); err != nil {
		return err
	}
	n, l := r.Node, &s.layer
	l.Q = s.heads(opdef.Of[T](r.In[0]), s.qHeads, s.queries, s.d)
	l.K = s.keysOf(r, 1, 4, presentK, &s.k, s.d)
	l.V = s.keysOf(r, 2, 5, presentV, &s.v, s.dv)
	l.Scale, l.Softcap = T(1/math.Sqrt(float64(s.d))), T(n.Float("softcap", 0))
	if n.Attr("scale") != nil {
		l.Scale = T(n.Float("scale", 1))
	}
	window := func(name string) int { return int(min(max(n.Int(name, -1), -1), math.MaxInt32/2)) }
	if l.Round != nil {
		s.prescale()
	}
	l.Causal, l.Left, l.Right = n.Int("is_causal", 0) != 0, window("left_window_size"), window("right_window_size")
	l.Offset, l.Lengths = s.past, inputOf[int64](r, 6)
	if l.Lengths != nil && len(l.Lengths) != s.batch {
		return onnx.Invalidf("nonpad_kv_seqlen: expected %d lengths, received %d", s.batch, len(l.Lengths))
	}
	for b, v := range l.Lengths {
		if v < 0 || v > int64(s.keys()) {
			return onnx.Invalidf("nonpad_kv_seqlen[%d] is %d, expected 0 to %d", b, v, s.keys())
		}
	}
	return s.mask(r)
}

// prescale multiplies Q and K by the square root of the scale, as the standard's body does, where results are rounded.
func (s *attend[T]) prescale() {
	l := &s.layer
	root := []T{T(math.Sqrt(float64(l.Scale)))}
	l.Round(root)
	for i, h := range []*attention.Heads[T]{&l.Q, &l.K} {
		s.scaled[i] = sized(s.scaled[i], len(h.Data))
		for j, v := range h.Data {
			s.scaled[i][j] = v * root[0]
		}
		l.Round(s.scaled[i])
		h.Data = s.scaled[i]
	}
	l.Scale = 1
}

// mask sets the bias of the layer from the input attn_mask.
func (s *attend[T]) mask(r *opdef.Run) error {
	l := &s.layer
	if l.Bias = nil; !r.Has(3) {
		return nil
	}
	v := r.In[3]
	want := [4]int{s.batch, s.qHeads, s.queries, s.keys()}
	if len(v.Shape) > 4 || len(v.Shape) == 0 {
		return onnx.Invalidf("attn_mask: expected rank 1 to 4, received shape %v", slices.Clone(v.Shape))
	}
	step := 1
	for a := 3; a >= 0; a-- {
		l.BiasStep[a] = 0
		i := a - 4 + len(v.Shape)
		if i < 0 {
			continue
		}
		d := v.Shape[i]
		switch {
		case a == 3 && d <= want[3]:
			if l.BiasKeys, l.BiasStep[a] = d, 1; d == 1 && want[3] > 1 && len(v.Shape) > 1 {
				l.BiasKeys, l.BiasStep[a] = want[3], 0
			}
		case d == want[a]:
			l.BiasStep[a] = step
		case d != 1:
			return onnx.Invalidf("attn_mask: shape %v does not broadcast to %v", slices.Clone(v.Shape), want)
		}
		step *= d
	}
	var err error
	l.Bias, err = s.biasOf(v)
	return err
}

// biasOf is what a mask adds to scores: its numbers, or 0 and minus infinity for its truth values.
func (s *attend[T]) biasOf(v opdef.View) ([]T, error) {
	if v.Elem == onnx.ElemOf[T]() {
		return opdef.Of[T](v), nil
	}
	s.bias = sized(s.bias, v.Len())
	if v.Elem == onnx.Bool {
		for i, ok := range opdef.Of[bool](v) {
			if s.bias[i] = 0; !ok {
				s.bias[i] = T(math.Inf(-1))
			}
		}
		return s.bias, nil
	}
	f := onnx.ElemOf[T]()
	convert := numberReader[T](v.Elem)
	if convert == nil {
		return nil, onnx.Unsupportedf("attn_mask of type %v is not supported for %v", v.Elem, f)
	}
	convert(s.bias, v.Data)
	return s.bias, nil
}

// numberReader converts numbers of type e; nil for other types.
func numberReader[T float](e onnx.ElemType) func(to []T, from []byte) {
	switch e {
	case onnx.Float32:
		return readNumbers[T, float32]
	case onnx.Float64:
		return readNumbers[T, float64]
	case onnx.Int8:
		return readNumbers[T, int8]
	case onnx.Int16:
		return readNumbers[T, int16]
	case onnx.Int32:
		return readNumbers[T, int32]
	case onnx.Int64:
		return readNumbers[T, int64]
	case onnx.Uint8:
		return readNumbers[T, uint8]
	case onnx.Uint16:
		return readNumbers[T, uint16]
	case onnx.Uint32:
		return readNumbers[T, uint32]
	case onnx.Uint64:
		return readNumbers[T, uint64]
	}
	return nil
}

func readNumbers[T float, S real](to []T, from []byte) {
	for i, v := range onnx.View[S](from) {
		to[i] = T(v)
	}
}

func attentionStep[T gemm.Float](c *opdef.Compile) (opdef.Step, error) {
	stage := c.Node.Int("qk_matmul_output_mode", 0)
	if stage < 0 || stage > 3 {
		return opdef.Step{}, onnx.Invalidf("attribute qk_matmul_output_mode: expected 0 to 3, received %d", stage)
	}
	if c.Node.Out(0) == nil {
		return opdef.Step{}, onnx.Invalidf("output 0 (Y) is missing")
	}
	steps := c.Node.Int("softmax_precision", int64(c.Elem(0)))
	fresh := func() *attend[T] {
		return &attend[T]{layer: attention.Layer[T]{
			Table: gemmTable[T](c.Generic), Vec: vecTable(c.Generic), Stage: attention.Stage(stage), Round: rounding[T](c.Elem(0)),
			SoftmaxSteps: steps == int64(c.Elem(0)), RoundSums: c.Elem(0) == onnx.BFloat16,
		}}
	}
	return opdef.Step{
		Scratch: func(b *opdef.Bound) int { return fresh().scratch(c.Node, b, false) },
		Cost:    func(b *opdef.Bound) opdef.Cost { return fresh().cost(c.Node, b, 1) },
		State:   func() any { return fresh() },
		Run: func(r *opdef.Run) error {
			s := r.State.(*attend[T])
			if err := s.prepare(r, outOf[T](r, 1), outOf[T](r, 2)); err != nil {
				return err
			}
			s.layer.Y = s.heads(opdef.Of[T](r.Out[0]), s.qHeads, s.queries, s.dv)
			s.layer.Scores = outOf[T](r, 3)
			s.layer.Forward(r.Team, onnx.View[T](r.Scratch))
			return nil
		},
	}, nil
}

func (s *attend[T]) scratch(n *onnx.Node, b *opdef.Bound, back bool) int {
	if s.sizesOf(n, b.In[:min(7, len(b.In))]) != nil {
		return 0 // Run says it
	}
	return s.layer.Scratch(b.Threads, back) * onnx.ElemOf[T]().Size()
}

func (s *attend[T]) cost(n *onnx.Node, b *opdef.Bound, times int64) opdef.Cost {
	if s.sizesOf(n, b.In[:min(7, len(b.In))]) != nil {
		return opdef.Cost{}
	}
	return opdef.Cost{FLOP: times * 2 * int64(s.batch*s.qHeads) * int64(s.queries) * int64(s.keys()) * int64(s.d+s.dv), Bytes: allBytes(b)}
}

func gradAttention(c *opdef.Grad) error {
	if c.DY(3) != nil {
		return c.Host.ThroughBody(c)
	}
	ins := make(values, 7, 10)
	for i := range ins {
		ins[i] = c.In(i)
	}
	dy := c.DY(0)
	if dy == nil {
		dy = c.Zeros(c.Y(0))
	}
	ins = append(ins, dy, c.DY(1), c.DY(2))
	mask := c.In(3) != nil && c.Needs(3) && c.In(3).Type.Elem.IsFloat()
	g := c.Builder.Node(onnx.Private, "AttentionGrad", 5+b2i(mask), ins, c.Node.Attrs...)
	for i, at := range []int{0, 1, 2, 4, 5} {
		if c.In(at) != nil {
			c.SetDX(at, g.Out(i))
		}
	}
	if mask {
		c.SetDX(3, maskGrad(c, g.Out(5)))
	}
	return nil
}

// maskGrad reduces the gradient of what was added to all scores to that of the mask, which may lack the last keys.
func maskGrad(c *opdef.Grad, d *onnx.Value) *onnx.Value {
	m := c.In(3)
	if t := m.Type; t.Ranked && len(t.Shape) > 0 && (len(t.Shape) == 1 || !isNumber(t.Shape[len(t.Shape)-1], 1)) {
		keys := c.Op("Shape", values{m}, onnx.Int("start", -1))
		d = c.Op("Slice", values{d, axesConst(c, 0), keys, axesConst(c, -1)})
	}
	return c.Private("SumTo", values{d, m})
}

// rounding rounds float32 numbers to the 16-bit type e; nil for other types.
func rounding[T float](e onnx.ElemType) func([]T) {
	var f any
	switch e {
	case onnx.Float16:
		f = roundF16
	case onnx.BFloat16:
		f = roundBF16
	}
	round, _ := f.(func([]float32))
	out, _ := any(round).(func([]T))
	if round == nil {
		return nil
	}
	return out
}

// bodyAttention follows the standard's body; masks are added in the type of Q, in which 0 and minus infinity are exact.
func bodyAttention(c *opdef.Rewrite) error {
	b := recipe{c}
	n, e := c.Node, b.elem(0)
	precision := onnx.ElemType(n.Int("softmax_precision", int64(e)))
	q, k, v, err := b.attentionHeads()
	if err != nil {
		return err
	}
	if b.in(4) != nil {
		k, v = b.concat(2, b.in(4), k), b.concat(2, b.in(5), v)
	}
	root := b.rootScale(q, e)
	keys := b.do("Mul", b.transpose(b.shareHeads(q, k), 0, 1, 3, 2), root)
	scores := b.do("MatMul", b.do("Mul", q, root), keys)
	stages := values{scores}
	if soft := n.Float("softcap", 0); soft != 0 {
		limit := b.num(e, soft)
		scores = b.do("Mul", b.do("Tanh", b.do("Div", scores, limit)), limit)
	}
	bias := b.attentionBias(q, k)
	stages = append(stages, scores, b.do("Add", scores, bias))
	// A query that sees no key gives zeros. Its scores are replaced as well, so that the gradient has no NaN.
	masked := b.do("Equal", b.reduce("ReduceMax", bias, -1), b.num(e, float32(math.Inf(-1))))
	seen := b.do("Where", masked, b.num(e, 0), stages[2])
	p := b.cast(b.Op("Softmax", values{b.cast(seen, precision)}), e)
	p = b.do("Where", masked, b.num(e, 0), p)
	y := b.do("MatMul", p, b.cast(b.shareHeads(q, v), e))
	if b.in(0).Type.Rank() == 3 {
		y = b.do("Reshape", b.transpose(y, 0, 2, 1, 3), b.ints(0, 0, -1))
	}
	stage := n.Int("qk_matmul_output_mode", 0)
	if stages = append(stages, p); stage < 0 || stage > 3 {
		return onnx.Invalidf("attribute qk_matmul_output_mode: expected 0 to 3, received %d", stage)
	}
	outs := values{y, k, v, stages[stage]}
	for i := range outs {
		if i > 0 && b.wants(i) {
			outs[i] = b.do("Identity", outs[i])
		}
	}
	return b.finish(outs[:n.NumOut()]...)
}

// attentionHeads is Q, K and V as [batch, heads, length, size].
func (b recipe) attentionHeads() (q, k, v *onnx.Value, err error) {
	q, k, v = b.in(0), b.in(1), b.in(2)
	switch q.Type.Rank() {
	case 4:
		return q, k, v, nil
	case 3:
		split := func(v *onnx.Value, heads string) *onnx.Value {
			return b.transpose(b.do("Reshape", v, b.ints(0, 0, b.Node.Int(heads, 0), -1)), 0, 2, 1, 3)
		}
		return split(q, "q_num_heads"), split(k, "kv_num_heads"), split(v, "kv_num_heads"), nil
	}
	return nil, nil, nil, onnx.Unsupportedf("the body needs inputs of rank 3 or 4, received %v", q.Type)
}

// attentionBias is what is added to the scores of queries q and all keys k: the mask, and minus infinity for keys that are
// hidden by causality, windows or the number of keys that count.
func (b recipe) attentionBias(q, k *onnx.Value) *onnx.Value {
	e, zero, hidden := b.elem(0), b.num(b.elem(0), 0), b.num(b.elem(0), float32(math.Inf(-1)))
	queries, keys := b.dim(q, 2), b.dim(k, 2)
	bias := b.do("Expand", zero, b.concat(0, queries, keys))
	if mask := b.in(3); mask != nil {
		if mask.Type.Elem == onnx.Bool {
			mask = b.do("Where", mask, zero, hidden)
		}
		last := b.Op("Shape", values{mask}, onnx.Int("start", -1))
		bias = b.do("Pad", b.cast(mask, e), b.concat(0, b.ints(0), b.do("Sub", keys, last)), hidden, b.ints(-1))
	}
	only := func(seen *onnx.Value) { bias = b.do("Add", bias, b.do("Where", seen, zero, hidden)) }
	key := b.do("Range", b.int(0), b.do("Squeeze", keys), b.int(1))
	query := b.do("Unsqueeze", b.do("Range", b.int(0), b.do("Squeeze", queries), b.int(1)), b.ints(1))
	switch {
	case b.in(4) != nil:
		query = b.do("Add", query, b.dim(b.in(4), 2))
	case b.in(6) != nil:
		query = b.do("Add", query, b.do("Unsqueeze", b.do("Sub", b.in(6), queries), b.ints(1, 2, 3)))
	}
	back := b.do("Sub", query, key)
	if b.Node.Int("is_causal", 0) != 0 {
		only(b.do("GreaterOrEqual", back, b.int(0)))
	}
	if left := b.Node.Int("left_window_size", -1); left >= 0 {
		only(b.do("LessOrEqual", back, b.int(left)))
	}
	if right := b.Node.Int("right_window_size", -1); right >= 0 {
		only(b.do("LessOrEqual", b.do("Neg", back), b.int(right)))
	}
	if b.in(6) != nil {
		only(b.do("Less", key, b.do("Unsqueeze", b.in(6), b.ints(1, 2, 3))))
	}
	return bias
}
