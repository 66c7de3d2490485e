package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Scan runs its body for each slice of its scan inputs. Inputs: states, then num_scan_inputs scan inputs; outputs: final
// states, then scan outputs, which are stacked.
//
// Opset 9 removed the batch axis and sequence_lens, beyond which scan outputs are zero here, and gave each scan input and
// output an axis and a direction.
var opScan = opdef.Def{
	Type:    "Scan",
	Infer:   inferScan,
	Compile: compileScan,
	Grad:    gradScan,
	Upgrade: upgradeScan,
}

// scanForm is how the inputs and outputs of a Scan are divided, and its attributes.
type scanForm struct {
	states, ins, outs int
	inAxes, outAxes   []int64
	inBack, outBack   []int64
}

func scanFormOf(n *onnx.Node) (scanForm, error) {
	g := n.Subgraph("body")
	if g == nil {
		return scanForm{}, onnx.Invalidf("attribute body is missing")
	}
	m := n.Int("num_scan_inputs", 0)
	if m < 1 || m > int64(n.NumIn()) {
		return scanForm{}, onnx.Invalidf("num_scan_inputs is %d for %d inputs", m, n.NumIn())
	}
	f := scanForm{ins: int(m), states: n.NumIn() - int(m)}
	f.outs = len(g.Outputs) - f.states
	if len(g.Inputs) != n.NumIn() || f.outs < 0 || n.NumOut() > len(g.Outputs) {
		return scanForm{}, onnx.Invalidf("a body with %d inputs and %d outputs for %d inputs and %d outputs",
			len(g.Inputs), len(g.Outputs), n.NumIn(), n.NumOut())
	}
	var err error
	list := func(name string, count int, flag bool) []int64 {
		v, ok := n.Ints(name)
		if !ok {
			return make([]int64, count)
		}
		if len(v) != count {
			err = onnx.Invalidf("attribute %s: expected %d entries, received %d", name, count, len(v))
			return make([]int64, count)
		}
		for _, d := range v {
			if flag && d != 0 && d != 1 {
				err = onnx.Invalidf("attribute %s: %d is not 0 or 1", name, d)
			}
		}
		return v
	}
	f.inAxes, f.outAxes = list("scan_input_axes", f.ins, false), list("scan_output_axes", f.outs, false)
	f.inBack, f.outBack = list("scan_input_directions", f.ins, true), list("scan_output_directions", f.outs, true)
	return f, err
}

func inferScan(c *opdef.Infer) error {
	f, err := scanFormOf(c.Node)
	if err != nil {
		return err
	}
	state := make([]onnx.Type, f.states)
	for i := range state {
		state[i], _ = c.In(i)
	}
	slices, count := make([]onnx.Type, f.ins), onnx.Unknown
	for i := range slices {
		t, _ := c.In(f.states + i)
		if slices[i] = onnx.Unranked(t.Elem); !t.Ranked {
			continue
		}
		a, err := opdef.Axis(f.inAxes[i], len(t.Shape))
		if err != nil {
			return err
		}
		slices[i] = onnx.TensorOf(t.Elem, append(append([]onnx.Dim{}, t.Shape[:a]...), t.Shape[a+1:]...)...)
		if d := t.Shape[a]; d.IsFixed() || count == onnx.Unknown {
			count = d
		}
	}
	out, err := carriedTypes(state, func(state []onnx.Type) ([]onnx.Type, error) {
		return bodyTypes(c, "body", append(append([]onnx.Type{}, state...), slices...))
	})
	if err != nil {
		return err
	}
	for i := range c.Outs {
		switch {
		case i >= len(out):
			return onnx.Invalidf("a body with %d outputs for %d outputs", len(out), len(c.Outs))
		case i < f.states:
			c.SetType(i, out[i])
		case !out[i].Ranked:
			c.SetUnranked(i, out[i].Elem)
		default:
			a, err := opdef.Axis(f.outAxes[i-f.states], len(out[i].Shape)+1)
			if err != nil {
				return err
			}
			c.SetType(i, stackedType(out[i], a, count))
		}
	}
	return nil
}

func compileScan(c *opdef.Compile) (opdef.Step, error) {
	body, err := bodyOf(c, "body")
	if err != nil {
		return opdef.Step{}, err
	}
	f, err := scanFormOf(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	return opdef.Step{Data: true, Run: runScan, State: func() any {
		return &scanState{
			bodyState: newBodyState(body, f.states, f.outs, f.states+f.ins),
			form:      f, sliced: make([]sliced1, f.ins),
		}
	}}, nil
}

// scanState is what Scan keeps from run to run.
type scanState struct {
	bodyState
	form   scanForm
	sliced []sliced1
}

// sliced1 cuts one scan input into slices.
type sliced1 struct {
	x       array
	elem    onnx.ElemType
	shape   []int // of a slice
	strides []int // of the input, without the axis
	step    int   // from slice to slice
	buf     []byte
	packed  []byte
}

func runScan(r *opdef.Run) error {
	s := r.State.(*scanState)
	s.mover.Run, s.mover.used, s.mover.late = r, 0, s.mover.late[:0]
	return s.finish(r, s.run(r))
}

func (s *scanState) run(r *opdef.Run) error {
	f, count := &s.form, -1
	for i := range s.sliced {
		n, err := s.sliced[i].prepare(&s.mover, f.states+i, f.inAxes[i])
		if err != nil {
			return err
		}
		if count >= 0 && n != count {
			return onnx.Invalidf("scan inputs of %d and %d slices", count, n)
		}
		count = n
	}
	copy(s.in, r.In[:f.states])
	for i := range s.scans {
		s.scans[i].reset()
	}
	for n := range count {
		if err := r.Host.Charge(1); err != nil {
			return err
		}
		for i := range s.sliced {
			at := n
			if f.inBack[i] != 0 {
				at = count - 1 - n
			}
			s.in[f.states+i] = s.sliced[i].slice(&s.mover, at)
		}
		if _, err := s.iterate(r, int64(n), 0, 0); err != nil {
			return err
		}
	}
	return s.results(r)
}

func (s *scanState) results(r *opdef.Run) error {
	f, g := &s.form, r.Node.Subgraph("body")
	for i := range r.Out {
		if i < f.states {
			if err := passOn(r, i, s.in[i]); err != nil {
				return err
			}
			continue
		}
		st := &s.scans[i-f.states]
		if st.count == 0 {
			st.empty(g.Outputs[i].Type)
		}
		axis, err := opdef.Axis(f.outAxes[i-f.states], len(st.shape)+1)
		if err != nil {
			return err
		}
		if err := st.deliver(&s.mover, i, axis, f.outBack[i-f.states] != 0); err != nil {
			return err
		}
	}
	return nil
}

// prepare looks at scan input i and gives the number of its slices.
func (s *sliced1) prepare(m *mover, i int, axis int64) (int, error) {
	shape, a, err := m.axis(i, axis)
	if err != nil {
		return 0, err
	}
	if s.x, err = m.elements(i); err != nil {
		return 0, err
	}
	all := m.rowMajor(shape)
	s.elem, s.step = m.In[i].Elem, all[a]
	s.shape = append(append(make([]int, 0, len(shape)), shape[:a]...), shape[a+1:]...)
	s.strides = append(append(s.strides[:0], all[:a]...), all[a+1:]...)
	n := product(s.shape)
	if s.elem == onnx.String {
		return shape[a], m.charge(n, 16)
	}
	if err := m.charge(n, 2*s.x.size); err != nil {
		return 0, err
	}
	if len(s.buf) != n*s.x.size {
		s.buf = onnx.Bytes(n * s.x.size)
	}
	if bytes, ok := s.elem.NumBytes(n); ok && s.elem.Packed() && len(s.packed) != bytes {
		s.packed = onnx.Bytes(bytes)
	}
	return shape[a], nil
}

// slice is slice n. Its bytes are good until the next call; strings are new, since the body may keep them.
func (s *sliced1) slice(m *mover, n int) opdef.View {
	v := opdef.View{Elem: s.elem, Shape: s.shape}
	y := array{size: s.x.size, b: s.buf}
	if s.elem == onnx.String {
		y = array{s: make([]string, product(s.shape))}
		v.Box = y.s
	}
	m.strided(y, region{0, m.rowMajor(s.shape)}, s.x, region{n * s.step, s.strides}, s.shape)
	m.used -= len(s.shape)
	switch {
	case s.elem == onnx.String:
	case s.elem.Packed():
		pack(s.packed, s.buf, s.elem.Bits())
		v.Data = s.packed
	default:
		v.Data = s.buf
	}
	return v
}

// upgradeScan writes the batch axis of opset 8 as a Scan over the batch whose body is a Scan over the sequence.
func upgradeScan(c *opdef.Rewrite) error {
	n := c.Node
	if c.Version >= 9 {
		return nil
	}
	body := n.Subgraph("body")
	if body == nil {
		return onnx.Invalidf("attribute body is missing")
	}
	in := n.Inputs()[1:]
	if i := slices.Index(in, nil); i >= 0 {
		return onnx.Invalidf("input %d is left out", 1+i)
	}
	batch := c.Sub("batch")
	var items values
	for _, v := range in {
		t := v.Type
		if t.Ranked && len(t.Shape) > 0 {
			t = onnx.TensorOf(t.Elem, t.Shape[1:]...)
		}
		items = append(items, batch.Graph.Input("item", t))
	}
	inner, _ := body.Copy(batch.Graph)
	attrs := []onnx.Attribute{onnx.GraphAttr("body", inner), onnx.Int("num_scan_inputs", n.Int("num_scan_inputs", 0))}
	if d, ok := n.Ints("directions"); ok {
		attrs = append(attrs, onnx.Ints("scan_input_directions", d...))
	}
	count := int(n.Int("num_scan_inputs", 0))
	if count < 1 || count > len(items) {
		return onnx.Invalidf("attribute num_scan_inputs: expected 1 to %d, received %d", len(items), count)
	}
	first := len(items) - count
	if n.In(0) == nil {
		batch.Graph.Outputs = batch.Node("", "Scan", len(body.Outputs), items, attrs...).Outputs()
	} else {
		length := batch.Graph.Input("length", onnx.TensorOf(onnx.Int64))
		batch.Graph.Outputs = scanPart(batch, items, length, first, len(body.Outputs), attrs)
		in = append(in, n.In(0))
	}
	outer := c.Builder.Node("", "Scan", n.NumOut(), in,
		onnx.GraphAttr("body", batch.Graph), onnx.Int("num_scan_inputs", int64(len(in))))
	c.Replace(outer.Outputs()...)
	return c.Err()
}

// scanPart writes a Scan over the first length slices of items, of which the scan inputs begin at first, and fills its scan
// outputs up with zeros.
func scanPart(b *onnx.Builder, items values, length *onnx.Value, first, outs int, attrs []onnx.Attribute) values {
	ints := func(v ...int64) *onnx.Value { return b.Const(onnx.Vector(v...)) }
	n := b.Op("Reshape", values{length, ints(1)})
	all := b.Op("Shape", values{items[first]}, onnx.Int("start", 0), onnx.Int("end", 1))
	for i := first; i < len(items); i++ {
		items[i] = b.Op("Slice", values{items[i], ints(0), n, ints(0)})
	}
	out := b.Node("", "Scan", outs, items, attrs...).Outputs()
	for i := first; i < len(out); i++ {
		pads := b.Op("Concat", values{ints(0), b.Op("Sub", values{all, n})}, onnx.Int("axis", 0))
		out[i] = b.Op("Pad", values{out[i], pads, nil, ints(0)})
	}
	return out
}

// gradScan: the forward scan also stacks the states that each iteration started from; the gradient is a scan in the other
// direction that computes the body again, goes back through it, and stacks the gradients of the slices.
func gradScan(c *opdef.Grad) error {
	n := c.Node
	f, err := scanFormOf(n)
	if err != nil {
		return err
	}
	body := n.Subgraph("body")
	if err := mustRepeat(body); err != nil {
		return err
	}
	n.DropAttr("scan_output_axes", "scan_output_directions")
	saved, err := saveStates(c, body, body.Inputs[:f.states])
	if err != nil {
		return err
	}
	extend(n, "scan_output_axes", f.outAxes, f.states)
	extend(n, "scan_output_directions", f.outBack, f.states)
	c.Reinfer(n)

	w := backScan{Grad: c, b: c.Sub("scan_gradient")}
	var args, dys values
	var carried []int
	for i := range f.states {
		dys = append(dys, nil)
		if !reaches(body.Outputs[i].Type) {
			continue
		}
		dy := c.DY(i)
		if dy == nil {
			dy = c.Zeros(c.Y(i))
		}
		w.states, carried = append(w.states, dy), append(carried, i)
		dys[i] = w.b.Graph.Input("dstate", dy.Type)
	}
	for _, v := range saved {
		args = append(args, w.scan(v, 0, 0))
	}
	for i := range f.ins {
		args = append(args, w.scan(n.In(f.states+i), f.inAxes[i], f.inBack[i]))
	}
	for i := range f.outs {
		dy := c.DY(f.states + i)
		if dy != nil && reaches(body.Outputs[f.states+i].Type) {
			dy = w.scan(dy, f.outAxes[i], f.outBack[i])
		}
		dys = append(dys, dy)
	}
	dargs, sums, caps, err := reverseBody(c, w.b, args, dys, &w.states)
	if err != nil {
		return err
	}
	return w.finish(f, dargs, sums, caps, carried)
}

// backScan is a backward Scan that is being built.
type backScan struct {
	*opdef.Grad
	b             *onnx.Builder
	states, scans values // inputs of the node
	slices        values // inputs of the body for scans
	axes, back    []int64
}

// scan makes v a scan input, read from the other end than the forward Scan did.
func (w *backScan) scan(v *onnx.Value, axis, backward int64) *onnx.Value {
	t := onnx.Unranked(v.Type.Elem)
	if a, err := opdef.Axis(axis, len(v.Type.Shape)); v.Type.Ranked && err == nil {
		t = onnx.TensorOf(t.Elem, append(append([]onnx.Dim{}, v.Type.Shape[:a]...), v.Type.Shape[a+1:]...)...)
	}
	x := w.b.Graph.Input("slice", t)
	w.scans, w.axes, w.back, w.slices = append(w.scans, v), append(w.axes, axis), append(w.back, 1-backward), append(w.slices, x)
	return x
}

// finish puts the node together: states (gradients of carried values, then sums) before scans, in the body as well.
func (w *backScan) finish(f scanForm, dargs, sums, caps values, carried []int) error {
	g := w.b.Graph
	states := slices.DeleteFunc(slices.Clone(g.Inputs), func(v *onnx.Value) bool { return slices.Contains(w.slices, v) })
	g.Inputs = append(states, w.slices...)
	for _, i := range carried {
		g.Outputs = append(g.Outputs, dargs[i])
	}
	g.Outputs = append(g.Outputs, sums...)
	var axes, back []int64
	var scanned []int
	for i := range f.ins {
		if d := dargs[f.states+i]; d != nil {
			g.Outputs, scanned = append(g.Outputs, d), append(scanned, f.states+i)
			axes, back = append(axes, f.inAxes[i]), append(back, 1-f.inBack[i])
		}
	}
	node := w.Builder.Node("", "Scan", len(g.Outputs), append(w.states, w.scans...), onnx.GraphAttr("body", g),
		onnx.Int("num_scan_inputs", int64(len(w.scans))), onnx.Ints("scan_input_axes", w.axes...), onnx.Ints("scan_input_directions", w.back...),
		onnx.Ints("scan_output_axes", axes...), onnx.Ints("scan_output_directions", back...))
	for x, i := range carried {
		w.SetDX(i, node.Out(x))
	}
	for x, v := range caps {
		w.SetDCapture(v, node.Out(len(carried)+x))
	}
	for x, i := range scanned {
		w.SetDX(i, node.Out(len(w.states)+x))
	}
	return w.b.Err()
}

// extend gives a list attribute entries for more scan outputs: axis 0, forward.
func extend(n *onnx.Node, name string, list []int64, more int) {
	n.SetAttr(onnx.Ints(name, append(slices.Clone(list), make([]int64, more)...)...))
}
