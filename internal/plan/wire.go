package plan

import (
	"slices"
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// prepare binds the shapes of the inputs, takes memory, and points the views at the caller's buffers.
func (r *Runner) prepare(ins, outs []opdef.View, results []onnx.Object) error {
	r.recycle()
	if err := r.bindShapes(ins); err != nil {
		return err
	}
	if results != nil {
		if err := r.makeResults(outs, results); err != nil {
			return err
		}
	}
	if r.wired(ins, outs) {
		return nil
	}
	return r.wire(ins, outs, results != nil)
}

// bindShapes changes to the binding for the shapes of the inputs.
func (r *Runner) bindShapes(ins []opdef.View) error {
	if len(ins) != len(r.p.ins) {
		return onnx.Internalf("%d inputs expected, %d received", len(r.p.ins), len(ins))
	}
	r.shapes = r.shapes[:0]
	for i := range ins {
		s, err := r.p.checkInput(i, &ins[i])
		if err != nil {
			return err
		}
		r.shapes = append(r.shapes, s)
	}
	if r.b != nil && slices.EqualFunc(r.b.ins, r.shapes, sameShape) {
		return nil
	}
	b, err := r.p.Bind(r.shapes, r.b)
	if err != nil {
		return err
	}
	return r.use(b)
}

// scalar is the shape of rank 0, apart from nil.
var scalar = []int{}

// checkInput compares input i with what the operators were compiled for and gives its shape; nil for what is not a tensor.
func (p *Plan) checkInput(i int, v *opdef.View) ([]int, error) {
	val := &p.vals[p.ins[i]]
	if v.Absent() {
		switch {
		case val.vr != nil:
			return nil, nil
		case val.preset != nil:
			v = &val.view
		case val.v.Type.Kind == onnx.KindOptional && p.g.Outer == nil:
			return nil, nil
		default:
			return nil, onnx.Invalidf("input %.128q is missing", val.v.Name)
		}
	} else if val.vr != nil {
		return nil, onnx.Invalidf("input %.128q is a variable and cannot be given", val.v.Name)
	}
	if want := val.v.Type; !matches(*v, want) {
		return nil, onnx.Invalidf("input %.128q: expected %v, received %v", val.v.Name, want, typeOf(*v))
	}
	if v.Elem == onnx.Undefined { // a sequence, map or optional
		return nil, nil
	}
	if err := checkBytes(v.Elem, v.Shape, len(v.Data), len(v.Strings())); err != nil {
		return nil, onnx.Invalidf("input %.128q: %w", val.v.Name, err)
	}
	if v.Shape == nil {
		return scalar, nil
	}
	return v.Shape, nil
}

// use points the views at a binding and takes memory for it.
func (r *Runner) use(b *Binding) error {
	if len(r.arena) < b.arena {
		if err := r.root.hold(int64(b.arena - len(r.arena))); err != nil {
			return err
		}
		r.arena = nil // so that both need not be there at once
		r.arena = onnx.Bytes(b.arena)
	}
	r.b, r.isWired = b, false
	for id := range r.views {
		val, bv := &r.p.vals[id], &b.vals[id]
		switch {
		case val.vr != nil:
			r.views[id] = val.vr.view()
		case val.konst != nil:
			r.views[id] = val.view
		case !bv.known():
			r.views[id] = opdef.View{}
		default:
			r.views[id] = opdef.View{Elem: bv.typ.Elem, Layout: val.layout, Shape: bv.shape}
		}
	}
	for k := range r.runs {
		if s := b.steps[k].scratch; s.n > 0 {
			r.runs[k].Scratch = r.arena[s.off:][:s.n:s.n]
		} else {
			r.runs[k].Scratch = nil
		}
	}
	return nil
}

// makeResults makes tensors for the results whose sizes are known, for the steps to write into.
func (r *Runner) makeResults(outs []opdef.View, results []onnx.Object) error {
	for i, id := range r.p.outs {
		if id < 0 || !r.b.vals[id].known() || r.b.vals[id].typ.Elem == onnx.String {
			continue
		}
		v := &r.b.vals[id]
		n, err := numBytes(v.typ.Elem, r.p.vals[id].layout, v.shape)
		if err == nil {
			err = r.root.Memory(int64(n))
		}
		if err != nil {
			return err
		}
		t, err := onnx.Zeros(v.typ.Elem, v.shape...)
		if err != nil {
			return err
		}
		results[i], outs[i] = t, opdef.View{Elem: t.Elem, Shape: t.Shape, Data: t.Mutable()}
	}
	return nil
}

// wired reports whether the views point at these buffers already.
func (r *Runner) wired(ins, outs []opdef.View) bool {
	return r.isWired && slices.EqualFunc(r.in, ins, sameBuffer) && slices.EqualFunc(r.out, outs, sameBuffer)
}

func sameBuffer(a, b opdef.View) bool {
	return unsafe.SliceData(a.Data) == unsafe.SliceData(b.Data) && len(a.Data) == len(b.Data) && a.Elem == b.Elem &&
		a.Box == nil && b.Box == nil && slices.Equal(a.Shape, b.Shape)
}

// wire points the views at the caller's buffers and the arena, and the steps at the views. own says that the buffers of outs
// are new.
func (r *Runner) wire(ins, outs []opdef.View, own bool) error {
	r.isWired = false
	for i, id := range r.p.ins {
		val := &r.p.vals[id]
		switch {
		case val.vr != nil:
		case ins[i].Absent() && val.preset != nil:
			r.views[id] = val.view
		case ins[i].Absent():
			r.views[id] = opdef.View{Box: &opdef.Opt{Of: elementOf(val.v.Type)}}
		case !r.b.vals[id].known():
			r.views[id] = ins[i]
		default:
			r.views[id].Data, r.views[id].Box = ins[i].Data, ins[i].Box
		}
	}
	if err := r.wireOuts(ins, outs, own); err != nil {
		return err
	}
	for id := range r.views {
		if b := &r.b.vals[id]; b.off >= 0 {
			r.views[id].Data = r.arena[b.off:][:b.n:b.n]
		}
		if to := r.substOf[r.b.vals[id].root]; to != nil && r.p.vals[id].def >= 0 {
			at, n := r.b.vals[id].at, r.b.vals[id].n
			r.views[id].Data = to[at:][:n:n]
		}
		if vr := r.p.vals[id].inPlace; vr != nil && r.b.vals[id].known() {
			r.views[id].Data = vr.view().Data
		}
	}
	for k := range r.runs {
		r.fill(k)
	}
	r.in, r.out, r.isWired = append(r.in[:0], ins...), append(r.out[:0], outs...), true
	return nil
}

func elementOf(t onnx.Type) onnx.Type {
	if t.Of == nil {
		return onnx.Type{}
	}
	return *t.Of
}

// wireOuts decides which results are written straight into the caller's buffers: those that have a place in the arena
// otherwise, when the buffer overlaps nothing that the run reads.
func (r *Runner) wireOuts(ins, outs []opdef.View, own bool) error {
	if len(outs) != 0 && len(outs) != len(r.p.outs) {
		return onnx.Internalf("%d outputs expected, %d received", len(r.p.outs), len(outs))
	}
	r.direct = append(r.direct[:0], make([]bool, len(outs))...)
	if r.substOf == nil {
		r.substOf = map[int][]byte{}
	}
	clear(r.substOf)
	for i := range outs {
		id := r.p.outs[i]
		if outs[i].Absent() || id < 0 {
			continue
		}
		if err := r.p.checkOut(i, &outs[i], &r.b.vals[id]); err != nil {
			return err
		}
		if !own {
			if err := r.p.checkOverlap(i, ins, outs); err != nil {
				return err
			}
		}
		root := r.b.vals[id].root
		taken := r.substOf[root] != nil
		if r.b.vals[id].off >= 0 && !taken && (own || !overlapsAny(outs[i].Data, ins)) {
			r.substOf[root], r.direct[i] = outs[i].Data, true
		}
	}
	return nil
}

// checkOut compares the buffer for result i with the result, as far as that is known.
func (p *Plan) checkOut(i int, out *opdef.View, b *bound) error {
	name := p.outputs[i].Name
	if err := checkBytes(out.Elem, out.Shape, len(out.Data), len(out.Strings())); err != nil {
		return onnx.Invalidf("output %.128q: %w", name, err)
	}
	if b.known() && (out.Elem != b.typ.Elem || !slices.Equal(out.Shape, b.shape)) {
		return onnx.Invalidf("output %.128q: the result is %v, the buffer given is %v", name, b.typ, typeOf(*out))
	}
	return nil
}

// checkOverlap refuses buffers of results that overlap each other, or an input that is itself another result.
func (p *Plan) checkOverlap(i int, ins, outs []opdef.View) error {
	for j := range outs[:i] {
		if overlap(outs[i].Data, outs[j].Data) {
			return onnx.Invalidf("the buffers of outputs %.128q and %.128q overlap", p.outputs[j].Name, p.outputs[i].Name)
		}
	}
	for j, id := range p.ins {
		if !overlap(outs[i].Data, ins[j].Data) {
			continue
		}
		if k := slices.Index(p.outs, id); k >= 0 && p.outs[i] != id {
			return onnx.Invalidf("the buffer of output %.128q overlaps input %.128q, which is an output as well", p.outputs[i].Name, p.outputs[k].Name)
		}
	}
	return nil
}

func overlapsAny(b []byte, views []opdef.View) bool {
	return slices.ContainsFunc(views, func(v opdef.View) bool { return overlap(b, v.Data) })
}

// deliver hands over the results that no step has written to their place.
func (r *Runner) deliver(outs []opdef.View, results []onnx.Object) error {
	for i := range outs {
		id := r.p.outs[i]
		if id < 0 || r.direct[i] {
			continue
		}
		v := r.views[id]
		if outs[i].Absent() {
			if results == nil {
				continue
			}
			if err := r.copyOut(i, v, results); err != nil {
				return err
			}
			continue
		}
		if outs[i].Elem != v.Elem || !slices.Equal(outs[i].Shape, v.Shape) {
			return onnx.Invalidf("output %.128q: the result is %v, the buffer given is %v", r.p.outputs[i].Name, typeOf(v), typeOf(outs[i]))
		}
		copy(outs[i].Data, v.Data)
		copy(outs[i].Strings(), v.Strings())
	}
	return nil
}

func (r *Runner) copyOut(i int, v opdef.View, results []onnx.Object) error {
	if err := r.root.Memory(int64(len(v.Data))); err != nil {
		return err
	}
	o, err := ObjectOf(v)
	if err != nil {
		return onnx.Internalf("output %.128q: %w", r.p.outputs[i].Name, err)
	}
	results[i] = o
	return nil
}
