package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LinearAttention reads and writes a matrix S of each head, key size by value size, step by step: S decays by e^decay (rules
// gated), k·vᵀ is added, or with the delta rules k·(beta·(v - Sᵀ·k))ᵀ, and the output is scale·qᵀ·S. Heads of queries share
// the matrices of the heads of keys. Inputs are [batch, length, heads·size]; decay has one number for each head or each element
// of a key, beta one for each head or for all.
//
// One version, of opset 27. The matrices are kept in float32, or float64 for float64; chunk_size only says how to compute.
var opLinearAttention = opdef.Def{
	Type:    "LinearAttention",
	Infer:   inferLinearAttention,
	Compile: mixedFloats(linearAttentionStep[float32], linearAttentionStep[float64]),
	Grad: func(c *opdef.Grad) error {
		ins := make(values, 6, 8)
		for i := range ins {
			ins[i] = c.In(i)
		}
		dy := c.DY(0)
		if dy == nil {
			dy = c.Zeros(c.Y(0))
		}
		ins = append(ins, dy, c.DY(1))
		g := c.Builder.Node(onnx.Private, "LinearAttentionGrad", 6, ins, c.Node.Attrs...)
		for i := range 6 {
			if c.In(i) != nil {
				c.SetDX(i, g.Out(i))
			}
		}
		return nil
	},
	Body: bodyLinearAttention,
}

func inferLinearAttention(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	state := c.Elem(3)
	if state == onnx.Undefined {
		state = c.Elem(0)
	}
	c.SetUnranked(1, state)
	q, err := c.ShapeRank(0, 3)
	if err != nil {
		return err
	}
	v, err := c.ShapeRank(2, 3)
	if err != nil {
		return err
	}
	hq, hkv := c.Node.Int("q_num_heads", 0), c.Node.Int("kv_num_heads", 0)
	if hq < 1 || hkv < 1 || hq > math.MaxInt32 || hq%hkv != 0 {
		return onnx.Invalidf("%d heads of queries and %d of keys do not fit", hq, hkv)
	}
	kv, qh := onnx.Fixed(int(hkv)), onnx.Fixed(int(hq))
	dk, dv := sizeDim(divDims(q[2], qh)), sizeDim(divDims(v[2], kv))
	c.Set(0, c.Elem(0), q[0], q[1], mulDims(dv, qh))
	c.Set(1, state, q[0], kv, dk, dv)
	return nil
}

// linearSizes is the sizes of a LinearAttention.
type linearSizes struct {
	batch, length, qHeads, heads, dk, dv int
	perKey                               bool // decay for each element of a key
	sharedBeta                           bool // one beta for all heads
	gated, delta                         bool
	scale                                float64
}

func linearSizesOf(n *onnx.Node, in []opdef.View) (linearSizes, error) {
	var s linearSizes
	hq, hkv := n.Int("q_num_heads", 0), n.Int("kv_num_heads", 0)
	q, k, v := in[0].Shape, in[1].Shape, in[2].Shape
	if len(q) != 3 || len(k) != 3 || len(v) != 3 || hq < 1 || hkv < 1 || hq%hkv != 0 || hq > int64(max(q[2], 1)) || q[2]%int(hq) != 0 || v[2]%int(hkv) != 0 {
		return s, onnx.Invalidf("shapes %v, %v and %v do not fit %d heads of queries and %d of keys", q, k, v, hq, hkv)
	}
	s = linearSizes{batch: q[0], length: q[1], qHeads: int(hq), heads: int(hkv), dk: q[2] / int(hq), dv: v[2] / int(hkv)}
	rule := n.Str("update_rule", "gated_delta")
	switch rule {
	case "linear":
	case "gated":
		s.gated = true
	case "delta":
		s.delta = true
	case "gated_delta":
		s.gated, s.delta = true, true
	default:
		return s, onnx.Invalidf("attribute update_rule: expected linear, gated, delta or gated_delta, received %.128q", rule)
	}
	if s.scale = float64(n.Float("scale", 0)); s.scale == 0 {
		s.scale = 1 / math.Sqrt(float64(s.dk))
	}
	at := func(i int) []int { return shapeAt(in, i) }
	last := func(n int) []int { return []int{s.batch, s.length, n} }
	fits := func(i int, shapes ...[]int) error {
		got := at(i)
		if got == nil || slices.ContainsFunc(shapes, func(w []int) bool { return slices.Equal(w, got) }) {
			return nil
		}
		return onnx.Invalidf("input %d: expected shape %v, received %v", i, shapes[0], got)
	}
	for _, err := range []error{
		fits(1, last(s.heads*s.dk)), fits(2, last(s.heads*s.dv)), fits(3, []int{s.batch, s.heads, s.dk, s.dv}),
		fits(4, last(s.heads*s.dk), last(s.heads)), fits(5, last(s.heads), last(1)),
	} {
		if err != nil {
			return s, err
		}
	}
	if s.gated && at(4) == nil || s.delta && at(5) == nil {
		return s, onnx.Invalidf("attribute update_rule: %.128q needs inputs that are absent", rule)
	}
	s.perKey = s.gated && at(4)[2] == s.heads*s.dk
	s.sharedBeta = s.delta && at(5)[2] != s.heads
	return s, nil
}

// linearHeads is the state of the steps: the inputs and outputs.
type linearHeads[T float] struct {
	linearSizes
	q, k, v, past, decay, beta, y, present               []T
	dy, dPresent, dq, dKey, dValue, dPast, dDecay, dBeta []T
	betaPart                                             []T // gradients of beta for each head
}

func (s *linearHeads[T]) inputs(r *opdef.Run) (err error) {
	s.linearSizes, err = linearSizesOf(r.Node, r.In)
	s.q, s.k, s.v = inputOf[T](r, 0), inputOf[T](r, 1), inputOf[T](r, 2)
	s.past, s.decay, s.beta = inputOf[T](r, 3), inputOf[T](r, 4), inputOf[T](r, 5)
	return err
}

func linearAttentionStep[T float](*opdef.Compile) (opdef.Step, error) {
	return opdef.Step{
		State: func() any { return &linearHeads[T]{} },
		Run: func(r *opdef.Run) error {
			s := r.State.(*linearHeads[T])
			if err := s.inputs(r); err != nil {
				return err
			}
			s.y, s.present = opdef.Of[T](r.Out[0]), outOf[T](r, 1)
			r.Team.DoFunc(s.batch*s.heads, s.forward)
			return nil
		},
	}, nil
}

// row is the numbers of head h of n, each of the given size, at step t of sample b.
func (s *linearHeads[T]) row(x []T, b, t, h, n, size int) []T {
	at := ((b*s.length+t)*n + h) * size
	return x[at : at+size]
}

// start is a copy of the matrix that a head begins with.
func (s *linearHeads[T]) start(head int) []T {
	m := make([]T, s.dk*s.dv)
	if s.past != nil {
		copy(m, s.past[head*len(m):])
	}
	return m
}

// keep is e^decay of element i of a key.
func (s *linearHeads[T]) keep(b, t, h, i int) T {
	switch {
	case !s.gated:
		return 1
	case s.perKey:
		return T(math.Exp(float64(s.row(s.decay, b, t, h, s.heads, s.dk)[i])))
	}
	return T(math.Exp(float64(s.row(s.decay, b, t, h, s.heads, 1)[0])))
}

func (s *linearHeads[T]) betaAt(b, t, h int) T {
	if s.sharedBeta {
		return s.row(s.beta, b, t, 0, 1, 1)[0]
	}
	return s.row(s.beta, b, t, h, s.heads, 1)[0]
}

// update moves the matrix of a head by one step and fills write with what was added behind the key, and read with Sᵀ·k.
func (s *linearHeads[T]) update(m, write, read []T, b, t, h int) {
	k, v := s.row(s.k, b, t, h, s.heads, s.dk), s.row(s.v, b, t, h, s.heads, s.dv)
	if s.gated {
		for i := range s.dk {
			g := s.keep(b, t, h, i)
			for j := range m[i*s.dv : (i+1)*s.dv] {
				m[i*s.dv+j] *= g
			}
		}
	}
	copy(write, v)
	if s.delta {
		clear(read)
		for i, x := range k {
			for j, y := range m[i*s.dv : (i+1)*s.dv] {
				read[j] += x * y
			}
		}
		beta := s.betaAt(b, t, h)
		for j := range write {
			write[j] = beta * (v[j] - read[j])
		}
	}
	for i, x := range k {
		row := m[i*s.dv : (i+1)*s.dv]
		for j, y := range write {
			row[j] += x * y
		}
	}
}

// forward runs all steps of one head of one sample.
func (s *linearHeads[T]) forward(head int) {
	b, h, group := head/s.heads, head%s.heads, s.qHeads/s.heads
	m, write, read := s.start(head), make([]T, s.dv), make([]T, s.dv)
	for t := range s.length {
		s.update(m, write, read, b, t, h)
		for g := h * group; g < (h+1)*group; g++ {
			q, y := s.row(s.q, b, t, g, s.qHeads, s.dk), s.row(s.y, b, t, g, s.qHeads, s.dv)
			clear(y)
			for i, x := range q {
				for j, v := range m[i*s.dv : (i+1)*s.dv] {
					y[j] += x * v
				}
			}
			for j := range y {
				y[j] *= T(s.scale)
			}
		}
	}
	if s.present != nil {
		copy(s.present[head*len(m):], m)
	}
}

func bodyLinearAttention(c *opdef.Rewrite) error {
	b := recipe{c}
	n, q := c.Node, b.in(0)
	rule := n.Str("update_rule", "gated_delta")
	heads, kvHeads := n.Int("q_num_heads", 0), n.Int("kv_num_heads", 0)
	if heads < 1 || kvHeads < 1 || heads%kvHeads != 0 {
		return onnx.Invalidf("%d heads of queries are no multiple of %d heads of keys", heads, kvHeads)
	}
	wide := onnx.Float32
	if b.elem(0) == onnx.Float64 {
		wide = onnx.Float64
	}
	steps := func(v *onnx.Value, heads, size int64) *onnx.Value { // [length, batch, heads, size]
		return b.transpose(b.cast(b.do("Reshape", v, b.ints(0, 0, heads, size)), wide), 1, 0, 2, 3)
	}
	dk := b.do("Div", b.dim(q, 2), b.ints(heads))
	start := b.in(3)
	if start == nil {
		dv := b.do("Div", b.dim(b.in(2), 2), b.ints(kvHeads))
		start = b.do("ConstantOfShape", b.concat(0, b.dim(q, 0), b.ints(kvHeads), dk, dv))
	}
	scale := b.num(wide, n.Float("scale", 0))
	if n.Float("scale", 0) == 0 {
		scale = b.do("Reciprocal", b.do("Sqrt", b.cast(dk, wide)))
	}
	ins := values{b.cast(start, wide), steps(q, heads, -1), steps(b.in(1), kvHeads, -1), steps(b.in(2), kvHeads, -1)}
	gated, delta := rule == "gated" || rule == "gated_delta", rule == "delta" || rule == "gated_delta"
	if gated {
		ins = append(ins, steps(b.in(4), kvHeads, -1))
	}
	if delta {
		ins = append(ins, steps(b.in(5), -1, 1))
	}
	scan := b.Builder.Node("", "Scan", 2, ins, onnx.Int("num_scan_inputs", int64(len(ins)-1)), onnx.GraphAttr("body", b.linearStep(wide, scale, gated, delta)))
	y := b.do("Reshape", b.transpose(scan.Out(1), 1, 0, 2, 3), b.ints(0, 0, -1))
	state := b.elem(0)
	if b.in(3) != nil {
		state = b.elem(3)
	}
	return b.finish(b.cast(y, b.elem(0)), b.cast(scan.Out(0), state))
}

// linearStep is the body of the Scan: (state, q, k, v, decay where gated, beta with the delta rule) -> (state, y).
func (b recipe) linearStep(e onnx.ElemType, scale *onnx.Value, gated, delta bool) *onnx.Graph {
	s := recipe{&opdef.Rewrite{Builder: b.Sub("step"), Node: b.Node}}
	in := func(name string, rank int) *onnx.Value {
		return s.Graph.Input(name, onnx.TensorOf(e, unknownDims(rank)...))
	}
	state, q, k, v := in("state", 4), in("q", 3), in("k", 3), in("v", 3)
	last, before := s.ints(-1), s.ints(-2)
	if gated {
		state = s.do("Mul", state, s.do("Unsqueeze", s.do("Exp", in("decay", 3)), last))
	}
	key := s.do("Unsqueeze", k, last)
	if delta {
		was := s.do("Squeeze", s.do("MatMul", s.transpose(state, 0, 1, 3, 2), key), last)
		v = s.do("Mul", in("beta", 3), s.do("Sub", v, was))
	}
	state = s.do("Add", state, s.do("MatMul", key, s.do("Unsqueeze", v, before)))
	q = s.do("Unsqueeze", q, before)
	y := s.do("MatMul", q, s.shareHeads(q, state))
	s.Graph.Outputs = values{state, s.do("Mul", scale, s.do("Squeeze", y, before))}
	return s.Graph
}
