package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Loop runs its body while a condition holds and a trip count is not reached; both may be absent. Inputs: trip count,
// condition, carried values. The body has the inputs iteration, condition, carried values and the outputs condition, carried
// values, scan outputs, which are stacked. Versions differ in types only.
var opLoop = opdef.Def{
	Type:    "Loop",
	Infer:   inferLoop,
	Compile: compileLoop,
	Grad:    gradLoop,
}

// maxWidenings is how often the types of carried values are widened: each dim of a shape becomes unknown at most once.
const maxWidenings = 64

// carriedTypes widens the types of carried values until the body's results fit. call infers the body and gives all outputs
// from the first carried one on.
func carriedTypes(state []onnx.Type, call func(state []onnx.Type) ([]onnx.Type, error)) (out []onnx.Type, err error) {
	for range maxWidenings {
		if out, err = call(state); err != nil {
			return nil, err
		}
		if len(out) < len(state) {
			return nil, onnx.Invalidf("a body with %d outputs for %d carried values", len(out), len(state))
		}
		same := true
		next := make([]onnx.Type, len(state))
		for i, t := range state {
			if next[i] = meet(t, out[i]); out[i].Kind == onnx.KindUnknown {
				next[i] = t
			}
			same = same && next[i].Equal(t)
		}
		if copy(out, next); same {
			return out, nil
		}
		state = next
	}
	return out, nil
}

func inferLoop(c *opdef.Infer) error {
	k := c.Node.NumIn() - 2
	if k < 0 {
		return onnx.Invalidf("expected 2 inputs or more, received %d", c.Node.NumIn())
	}
	state := make([]onnx.Type, k)
	for i := range state {
		state[i], _ = c.In(i + 2)
	}
	out, err := carriedTypes(state, func(state []onnx.Type) ([]onnx.Type, error) {
		in := append([]onnx.Type{onnx.TensorOf(onnx.Int64), onnx.TensorOf(onnx.Bool)}, state...)
		out, err := bodyTypes(c, "body", in)
		if err == nil && len(out) == 0 {
			err = onnx.Invalidf("the body has no outputs")
		}
		if err != nil {
			return nil, err
		}
		return out[1:], nil
	})
	if err != nil {
		return err
	}
	if len(c.Outs) > len(out) {
		return onnx.Invalidf("a body with %d outputs for %d outputs", len(out)+1, len(c.Outs))
	}
	for i := range c.Outs {
		if i < k {
			c.SetType(i, out[i])
			continue
		}
		c.SetType(i, stackedType(out[i], 0, onnx.Unknown))
	}
	return nil
}

// stackedType is the type of a stack of tensors of type t, with the count at the place axis.
func stackedType(t onnx.Type, axis int, count onnx.Dim) onnx.Type {
	if !t.Ranked || axis > len(t.Shape) {
		return onnx.Unranked(t.Elem)
	}
	dims := append(append(append([]onnx.Dim{}, t.Shape[:axis]...), count), t.Shape[axis:]...)
	return onnx.TensorOf(t.Elem, dims...)
}

func compileLoop(c *opdef.Compile) (opdef.Step, error) {
	body, err := bodyOf(c, "body")
	if err != nil {
		return opdef.Step{}, err
	}
	g, k := c.Node.Subgraph("body"), c.Node.NumIn()-2
	if k < 0 || len(g.Inputs) != k+2 || len(g.Outputs) < k+1 || c.Node.NumOut() > len(g.Outputs)-1 {
		return opdef.Step{}, onnx.Invalidf("a body with %d inputs and %d outputs for %d inputs and %d outputs",
			len(g.Inputs), len(g.Outputs), c.Node.NumIn(), c.Node.NumOut())
	}
	return opdef.Step{Data: true, Run: runLoop, State: func() any {
		return &loopState{
			bodyState: newBodyState(body, k, len(g.Outputs)-1-k, k+2),
			iter:      make([]int64, 1), cond: make([]bool, 1),
		}
	}}, nil
}

// bodyState is what Loop and Scan keep from run to run.
type bodyState struct {
	body    opdef.BodyRun
	carried [2][]keeper // of this iteration and of the next
	cur     int
	scans   []stack
	in      []opdef.View
	mover   mover
}

func newBodyState(body opdef.Body, carried, scans, inputs int) bodyState {
	return bodyState{
		body: body.New(), carried: [2][]keeper{make([]keeper, carried), make([]keeper, carried)},
		scans: make([]stack, scans), in: make([]opdef.View, inputs),
	}
}

// finish gives all memory back.
func (s *bodyState) finish(r *opdef.Run, err error) error {
	first := func(e error) {
		if err == nil {
			err = e
		}
	}
	for i := range s.carried {
		for j := range s.carried[i] {
			first(s.carried[i][j].release(r))
		}
	}
	for i := range s.scans {
		first(s.scans[i].release(r))
	}
	clear(s.in)
	return s.mover.end(err)
}

// iterate runs the body once: carried inputs are s.in from at on, and take its results from outs on.
func (s *bodyState) iterate(r *opdef.Run, n int64, at, skip int) ([]opdef.View, error) {
	seed := r.Seed
	r.Seed = iterationSeed(seed, n)
	outs, err := s.body.Run(r, s.in)
	r.Seed = seed
	if err != nil {
		return nil, err
	}
	k := len(s.carried[0])
	if len(outs) < skip+k+len(s.scans) {
		return nil, onnx.Invalidf("a body with %d outputs, expected %d", len(outs), skip+k+len(s.scans))
	}
	s.cur = 1 - s.cur
	for i := range k {
		if err := s.carried[s.cur][i].keep(r, outs[skip+i]); err != nil {
			return nil, err
		}
		if s.in[at+i], err = s.fit(r, at+i, s.carried[s.cur][i].v); err != nil {
			return nil, err
		}
	}
	for i := range s.scans {
		if err := s.scans[i].push(r, outs[skip+k+i]); err != nil {
			return nil, onnx.Invalidf("iteration %d: scan output %d: %w", n, i, err)
		}
	}
	return outs, nil
}

// fit makes v input i of the body: a plain value becomes an optional where the body declares one.
func (s *bodyState) fit(r *opdef.Run, i int, v opdef.View) (opdef.View, error) {
	g := r.Node.Subgraph("body")
	if g.Inputs[i].Type.Kind != onnx.KindOptional {
		return v, nil
	}
	if _, ok := v.Box.(*opdef.Opt); ok {
		return v, nil
	}
	if len(v.Data) > 0 { // an optional owns its bytes
		if err := s.mover.charge(len(v.Data), 1); err != nil {
			return v, err
		}
		v.Data = append(onnx.Bytes(len(v.Data))[:0], v.Data...)
	}
	o := &opdef.Opt{Item: &v}
	if of := g.Inputs[i].Type.Of; of != nil {
		o.Of = *of
	}
	return opdef.View{Box: o}, nil
}

type loopState struct {
	bodyState
	iter []int64
	cond []bool
}

func runLoop(r *opdef.Run) error {
	s := r.State.(*loopState)
	s.mover.Run, s.mover.used, s.mover.late = r, 0, s.mover.late[:0]
	return s.finish(r, s.run(r))
}

func (s *loopState) run(r *opdef.Run) (err error) {
	trips := int64(math.MaxInt64)
	if r.Has(0) {
		if trips, err = s.mover.one(0); err != nil {
			return err
		}
	}
	s.cond[0] = true
	if r.Has(1) {
		if s.cond[0], err = truthAt(r.In[1]); err != nil {
			return err
		}
	}
	s.in[0] = opdef.View{Elem: onnx.Int64, Data: onnx.BytesOf(s.iter)}
	s.in[1] = opdef.View{Elem: onnx.Bool, Data: onnx.BytesOf(s.cond)}
	for i := 2; i < len(s.in); i++ {
		if s.in[i], err = s.fit(r, i, r.In[i]); err != nil {
			return err
		}
	}
	for i := range s.scans {
		s.scans[i].reset()
	}
	for n := int64(0); n < trips && s.cond[0]; n++ {
		if err := r.Host.Charge(1); err != nil {
			return err
		}
		s.iter[0] = n
		outs, err := s.iterate(r, n, 2, 1)
		if err != nil {
			return err
		}
		if s.cond[0], err = truthAt(outs[0]); err != nil {
			return err
		}
	}
	k, g := len(s.carried[0]), r.Node.Subgraph("body")
	for i := range r.Out {
		if i < k {
			v := s.in[2+i]
			if o, ok := v.Box.(*opdef.Opt); ok && o.Item != nil && g.Outputs[1+i].Type.Kind != onnx.KindOptional {
				v = *o.Item // made an optional for the body alone
			}
			err = passOn(r, i, v)
		} else {
			st := &s.scans[i-k]
			if st.count == 0 {
				st.empty(g.Outputs[i+1].Type)
			}
			err = st.deliver(&s.mover, i, 0, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// gradLoop: the forward loop also stacks the carried values that each iteration started from; the gradient is a loop that
// runs backwards, computes the body again from what was saved and adds up the gradients of captured values.
func gradLoop(c *opdef.Grad) error {
	n := c.Node
	body, k := n.Subgraph("body"), n.NumIn()-2
	if body == nil || k < 0 || len(body.Inputs) != k+2 {
		return onnx.Invalidf("attribute body is missing or does not fit the inputs")
	}
	if err := mustRepeat(body); err != nil {
		return err
	}
	outs := len(body.Outputs) - 1
	saved, err := saveStates(c, body, append(values{body.Inputs[0]}, body.Inputs[2:]...))
	if err != nil {
		return err
	}
	trips := c.Op("Size", values{saved[0]})

	b := c.Sub("loop_gradient")
	j, cond := b.Graph.Input("j", onnx.TensorOf(onnx.Int64)), b.Graph.Input("cond", onnx.TensorOf(onnx.Bool))
	last := b.Op("Sub", values{trips, b.Const(onnx.Scalar[int64](1))})
	at := b.Op("Sub", values{last, j})
	take := func(v *onnx.Value) *onnx.Value { return b.Op("Gather", values{v, at}) }
	args := values{take(saved[0]), b.Const(onnx.Scalar(true))}
	for _, v := range saved[1:] {
		args = append(args, take(v))
	}
	ins, dys := values{trips, nil}, values{nil}
	var carried []int
	for i := range outs {
		dy := c.DY(i)
		switch t := body.Outputs[1+i].Type; {
		case !reaches(t):
			dy = nil
		case i < k:
			if dy == nil {
				dy = c.Zeros(c.Y(i))
			}
			ins, carried = append(ins, dy), append(carried, i)
			dy = b.Graph.Input("dcarried", dy.Type)
		case dy != nil:
			dy = take(dy)
		}
		dys = append(dys, dy)
	}
	dargs, sums, caps, err := reverseBody(c, b, args, dys, &ins)
	if err != nil {
		return err
	}
	b.Graph.Outputs = values{b.Op("Identity", values{cond})}
	for _, i := range carried {
		b.Graph.Outputs = append(b.Graph.Outputs, dargs[2+i])
	}
	b.Graph.Outputs = append(b.Graph.Outputs, sums...)
	node := c.Builder.Node("", "Loop", len(b.Graph.Outputs)-1, ins, onnx.GraphAttr("body", b.Graph))
	for x, i := range carried {
		c.SetDX(2+i, node.Out(x))
	}
	for x, v := range caps {
		c.SetDCapture(v, node.Out(len(carried)+x))
	}
	return b.Err()
}

// saveStates makes the forward node stack the given inputs of its body, one scan output each.
func saveStates(c *opdef.Grad, body *onnx.Graph, states values) (values, error) {
	bb := onnx.NewBuilder(body, c.Builder.Infer)
	skip := 0
	if c.Node.OpType == "Loop" {
		skip = 1
	}
	var saved values
	for _, v := range states {
		if v.Type.Kind != onnx.KindTensor && v.Type.Kind != onnx.KindUnknown {
			return nil, onnx.Unsupportedf("the gradient of a loop that carries %v is not supported", v.Type)
		}
		body.Outputs = append(body.Outputs, bb.Op("Identity", values{v}))
		saved = append(saved, c.Y(len(body.Outputs)-1-skip))
	}
	return saved, bb.Err()
}

// reverseBody writes the reverse pass of the body into b, with inputs that add up the gradients of captured values; ins gets
// the sums' first values. It returns the gradients of args, the sums after one backward iteration, and the captured values.
func reverseBody(c *opdef.Grad, b *onnx.Builder, args, dys values, ins *values) (dargs, sums, caps values, err error) {
	caps = c.Captures()
	for _, v := range caps {
		*ins, sums = append(*ins, c.Zeros(v)), append(sums, b.Graph.Input("dcaptured", v.Type))
	}
	dargs, dcaps, err := c.Differentiate(bodyIndex(c.Node, "body"), b, args, dys)
	if err != nil {
		return nil, nil, nil, err
	}
	for i, v := range caps {
		sums[i] = Sum(b, sums[i], dcaps[v])
	}
	return dargs, sums, caps, b.Err()
}
