package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// scratchAlign is the alignment in bytes of the parts of a step's scratch.
const scratchAlign = 64

func alignUp(n int) int { return (n + scratchAlign - 1) &^ (scratchAlign - 1) }

// viaFloat32 makes a step that computes in float32 a step for 16-bit floating-point tensors: inputs are widened into scratch,
// outputs narrowed from it.
func viaFloat32(inner opdef.Step) opdef.Step {
	outer := inner
	outer.Alias = nil
	outer.Scratch = func(b *opdef.Bound) int {
		wide := opdef.Bound{In: widenViews(nil, b.In), Out: widenViews(nil, b.Out), Threads: b.Threads}
		n := 0
		if inner.Scratch != nil {
			n = alignUp(inner.Scratch(&wide))
		}
		return n + halfBytes(b.In) + halfBytes(b.Out)
	}
	outer.State = func() any {
		s := &viaState{}
		if inner.State != nil {
			s.inner = inner.State()
		}
		return s
	}
	outer.Run = func(r *opdef.Run) error { return r.State.(*viaState).run(r, &inner) }
	return outer
}

type viaState struct {
	inner   any
	in, out []opdef.View
}

func (s *viaState) run(r *opdef.Run, inner *opdef.Step) error {
	in, out, scratch := r.In, r.Out, r.Scratch
	s.in, s.out = widenViews(s.in[:0], in), widenViews(s.out[:0], out)
	rest := lend(s.in, in, scratch)
	for i := range in {
		if h := formatOf(in[i].Elem); h != nil {
			h.widen(onnx.View[float32](s.in[i].Data), onnx.View[uint16](in[i].Data))
		}
	}
	rest = lend(s.out, out, rest)
	r.In, r.Out, r.Scratch, r.State = s.in, s.out, rest, s.inner
	err := inner.Run(r)
	r.In, r.Out, r.Scratch, r.State = in, out, scratch, s
	for i := range out {
		if h := formatOf(out[i].Elem); h != nil && err == nil {
			h.narrow(onnx.View[uint16](out[i].Data), onnx.View[float32](s.out[i].Data))
		}
	}
	return err
}

// widenViews appends vs to to with 16-bit types replaced by float32, without bytes for those.
func widenViews(to, vs []opdef.View) []opdef.View {
	for _, v := range vs {
		if formatOf(v.Elem) != nil {
			v.Elem, v.Data = onnx.Float32, nil
		}
		to = append(to, v)
	}
	return to
}

// lend gives the widened views bytes from scratch and returns what is left.
func lend(wide, vs []opdef.View, scratch []byte) []byte {
	for i := range vs {
		if formatOf(vs[i].Elem) != nil {
			n := 4 * vs[i].Len()
			wide[i].Data = scratch[:n:n]
			scratch = scratch[min(alignUp(n), len(scratch)):]
		}
	}
	return scratch
}

func halfBytes(vs []opdef.View) int {
	n := 0
	for i := range vs {
		if formatOf(vs[i].Elem) != nil {
			n += alignUp(4 * vs[i].Len())
		}
	}
	return n
}

// floatKernel compiles f32 or f64 by the element type of input i; 16-bit types go through float32.
func floatKernel(i int, f32, f64 func(*opdef.Compile) (opdef.Step, error)) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		switch c.Elem(i) {
		case onnx.Float32:
			return f32(c)
		case onnx.Float64:
			return f64(c)
		case onnx.Float16, onnx.BFloat16:
			s, err := f32(c)
			return viaFloat32(s), err
		}
		return opdef.Step{}, badElem(c.Elem(i))
	}
}
