package plan

import (
	"errors"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Binding is sizes and offsets for one set of input shapes. It is immutable and shared by runs.
type Binding struct {
	ins   [][]int // nil entries: not a tensor
	vals  []bound
	steps []boundStep
	arena int // bytes
}

// bound is what a binding knows of one value.
type bound struct {
	typ   onnx.Type // of kind unknown while sizes are not known: the value is late
	shape []int
	ints  []onnx.Dim // contents of a small integer tensor, nil: not known
	root  int        // value whose buffer it shares, itself as a rule
	at    int        // byte of that buffer where it begins
	off   int        // place in the arena, -1: elsewhere
	n     int        // bytes
	room  int        // bytes reserved at off
}

// boundStep is what a binding knows of one step. A late step is bound just before it runs; a dynamic one is late or reads
// a late value.
type boundStep struct {
	late, dynamic bool
	frees         []int // late values that nobody reads after the step
	scratch       span
}

type span struct{ off, n, room int }

// maxBindings is how many bindings a plan remembers.
const maxBindings = 8

// ArenaBytes is the size of the arena that a runner needs.
func (b *Binding) ArenaBytes() int { return b.arena }

// Bind finds or makes the binding for input shapes, captures last; a nil shape stands for what is not a tensor. previous,
// which may be nil, makes it cheap: only steps whose input shapes changed are inferred again.
func (p *Plan) Bind(shapes [][]int, previous *Binding) (*Binding, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, b := range p.cache {
		if slices.EqualFunc(b.ins, shapes, sameShape) {
			copy(p.cache[1:i+1], p.cache[:i])
			p.cache[0] = b
			return b, nil
		}
	}
	if previous == nil && len(p.cache) > 0 {
		previous = p.cache[0]
	}
	b, err := p.bind(shapes, previous)
	if err != nil {
		return nil, err
	}
	p.binds++
	p.cache = slices.Insert(p.cache, 0, b)
	p.cache = p.cache[:min(len(p.cache), maxBindings)]
	return b, nil
}

// sameShape tells a scalar from what is not a tensor.
func sameShape(a, b []int) bool { return slices.Equal(a, b) && (a == nil) == (b == nil) }

func (p *Plan) bind(shapes [][]int, previous *Binding) (b *Binding, err error) {
	b = &Binding{vals: make([]bound, len(p.vals)), steps: make([]boundStep, len(p.steps))}
	k := 0
	defer func() {
		if x := recover(); x != nil {
			err = fromPanic(x)
			if k < len(p.steps) {
				err = p.errBound(k, b, err)
			}
		}
	}()
	if err := p.bindInputs(b, shapes); err != nil {
		return nil, err
	}
	for id := range p.vals {
		switch v := &p.vals[id]; {
		case v.vr != nil:
			b.set(id, v.vr.t.Elem, v.vr.t.Shape)
		case v.konst != nil:
			b.set(id, v.konst.Elem, v.konst.Shape)
			if smallInts(v.konst.Elem, v.konst.Shape) {
				b.vals[id].ints, _ = opdef.DimsOf(v.konst)
			}
		}
	}
	var c opdef.Infer
	for ; k < len(p.steps); k++ {
		if err := p.bindStep(&c, b, previous, k); err != nil {
			return nil, p.errBound(k, b, err)
		}
	}
	p.markDynamic(b)
	return b, p.place(b, previous)
}

// bindInputs checks the shapes of the inputs and notes them.
func (p *Plan) bindInputs(b *Binding, shapes [][]int) error {
	if len(shapes) != len(p.ins) {
		return onnx.Internalf("%d inputs expected, %d received", len(p.ins), len(shapes))
	}
	named := map[string]namedDim{}
	for i, id := range p.ins {
		v := p.vals[id].v
		s := slices.Clone(shapes[i])
		if s == nil && shapes[i] != nil {
			s = []int{}
		}
		b.ins = append(b.ins, s)
		if s == nil || p.vals[id].vr != nil {
			continue // not a tensor: late
		}
		if p.g.Outer == nil {
			if err := checkShape(v, s, named); err != nil {
				return err
			}
		}
		if v.Type.Elem != onnx.Undefined {
			b.set(id, v.Type.Elem, s)
		}
	}
	return nil
}

// namedDim is where a named dim got its size.
type namedDim struct {
	input string
	axis  int
	n     int
}

// checkShape compares a shape with an input's declared type. The same name is the same size.
func checkShape(v *onnx.Value, s []int, named map[string]namedDim) error {
	if !v.Type.Ranked {
		return nil
	}
	if len(s) != len(v.Type.Shape) {
		return onnx.Invalidf("input %.128q: expected rank %d (%v), received rank %d %v", v.Name, len(v.Type.Shape), v.Type, len(s), s)
	}
	for j, d := range v.Type.Shape {
		if d.IsFixed() && d.N != int64(s[j]) {
			return onnx.Invalidf("input %.128q: expected %v, received shape %v: axis %d is %d, not %d", v.Name, v.Type, s, j, s[j], d.N)
		}
		if d.Name == "" {
			continue
		}
		old, ok := named[d.Name]
		if ok && old.n != s[j] {
			return onnx.Invalidf("input %.128q: axis %d (%.128q) is %d, but it is %d at axis %d of input %.128q",
				v.Name, j, d.Name, s[j], old.n, old.axis, old.input)
		}
		named[d.Name] = namedDim{v.Name, j, s[j]}
	}
	return nil
}

func (b *Binding) set(id int, e onnx.ElemType, shape []int) {
	if shape == nil {
		shape = []int{}
	}
	b.vals[id].typ, b.vals[id].shape = (&onnx.Tensor{Elem: e, Shape: shape}).Type(), shape
}

func (v *bound) known() bool { return v.typ.Kind != onnx.KindUnknown }

// bindStep gives the outputs of step k their sizes, from the previous binding where nothing changed, or leaves it late.
func (p *Plan) bindStep(c *opdef.Infer, b, previous *Binding, k int) error {
	st := &p.steps[k]
	if st.data || !b.allKnown(st.in) {
		b.steps[k].late = true
		return nil
	}
	if previous != nil && !previous.steps[k].late && b.unchanged(previous, st) {
		for _, o := range st.out {
			if o >= 0 {
				v := previous.vals[o]
				b.vals[o] = bound{typ: v.typ, shape: v.shape, ints: v.ints}
			}
		}
		return nil
	}
	p.infers++
	st.prepare(c)
	for j, i := range st.in {
		if i >= 0 {
			c.Ins[j], c.InInts[j] = b.vals[i].typ, b.vals[i].ints
		}
	}
	if err := st.infer(c); err != nil {
		return err
	}
	for j, o := range st.out {
		if o >= 0 && !(c.Outs[j].IsTensor() && c.Outs[j].IsFixed() && c.Outs[j].Elem != onnx.String) {
			b.steps[k].late = true
			return nil
		}
	}
	return p.takeOuts(c, b, st)
}

// takeOuts copies the inferred types to the binding.
func (p *Plan) takeOuts(c *opdef.Infer, b *Binding, st *step) error {
	for j, o := range st.out {
		if o < 0 {
			continue
		}
		t := &c.Outs[j]
		if err := p.checkElem(o, t.Elem); err != nil {
			return err
		}
		s, err := sizes(make([]int, 0, len(t.Shape)), t.Shape)
		if err != nil {
			return err
		}
		if vr := p.vals[o].inPlace; vr != nil && (vr.t.Elem != t.Elem || !slices.Equal(vr.t.Shape, s)) {
			return onnx.Invalidf("variable %.128q: expected %v, received %v", vr.name, vr.t.Type(), *t)
		}
		b.vals[o].typ, b.vals[o].shape, b.vals[o].ints = *t, s, c.OutInts[j]
		t.Shape = nil // it is the binding's now
	}
	return nil
}

// checkElem compares an element type with the one that the operators were compiled for.
func (p *Plan) checkElem(id int, e onnx.ElemType) error {
	v := p.vals[id].v
	if want := v.Type.Elem; want != onnx.Undefined && want != e {
		return onnx.Invalidf("value %.128q: expected elements of type %v, received %v", v.Name, want, e)
	}
	return nil
}

// prepare empties c for an inference of st.
func (st *step) prepare(c *opdef.Infer) {
	c.Node, c.Consts = st.node, st.consts
	c.Ins = append(c.Ins[:0], make([]onnx.Type, len(st.in))...)
	c.InInts = append(c.InInts[:0], make([][]onnx.Dim, len(st.in))...)
	c.Outs = slices.Grow(c.Outs[:0], len(st.out))[:len(st.out)]
	c.OutInts = append(c.OutInts[:0], make([][]onnx.Dim, len(st.out))...)
	for j := range c.Outs {
		c.Outs[j] = onnx.Type{Shape: c.Outs[j].Shape[:0]}
	}
}

// infer asks the operator; an unknown rank is not an error.
func (st *step) infer(c *opdef.Infer) error {
	if err := st.def.Infer(c); err != nil && !errors.Is(err, opdef.ErrNoRank) {
		return err
	}
	return nil
}

// sizes appends the dims, all of which must be fixed, to s.
func sizes(s []int, dims []onnx.Dim) ([]int, error) {
	for _, d := range dims {
		n := int(d.N)
		if !d.IsFixed() || int64(n) != d.N {
			return nil, onnx.Invalidf("no tensor has the shape %v", dims)
		}
		s = append(s, n)
	}
	return s, nil
}

// smallInts reports whether the contents of a tensor are worth knowing when sizes are found.
func smallInts(e onnx.ElemType, shape []int) bool {
	return (e == onnx.Int64 || e == onnx.Int32) && (len(shape) == 0 || len(shape) == 1 && shape[0] <= 1024)
}

func (b *Binding) allKnown(ids []int) bool {
	for _, i := range ids {
		if i >= 0 && !b.vals[i].known() {
			return false
		}
	}
	return true
}

func (b *Binding) unchanged(previous *Binding, st *step) bool {
	for _, i := range st.in {
		if i < 0 {
			continue
		}
		x, y := &b.vals[i], &previous.vals[i]
		if !y.known() || !slices.Equal(x.shape, y.shape) || !slices.Equal(x.ints, y.ints) || (x.ints == nil) != (y.ints == nil) {
			return false
		}
	}
	return true
}

// markDynamic finds the steps whose views change while a run goes on, and those after which late values are dead.
func (p *Plan) markDynamic(b *Binding) {
	for id := range p.vals {
		v := &p.vals[id]
		if last := max(v.last, v.def); !p.o.Keep && v.def >= 0 && last < len(p.steps) && b.steps[v.def].late {
			b.steps[last].frees = append(b.steps[last].frees, id)
		}
	}
	for k := range p.steps {
		st, bs := &p.steps[k], &b.steps[k]
		bs.dynamic = bs.late || !b.allKnown(st.in) || !b.allKnown(st.caps)
	}
}

// numBytes is the size of a tensor in memory; an error when it does not fit an int.
func numBytes(e onnx.ElemType, l opdef.Layout, shape []int) (int, error) {
	n, ok := opdef.NumElements(l, shape)
	if ok {
		n, ok = e.NumBytes(n)
	}
	if !ok {
		return 0, onnx.Invalidf("a tensor of type %v and shape %v is too large", e, shape)
	}
	return n, nil
}
