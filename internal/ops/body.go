package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// recipe writes briefly the bodies that the standard gives operators where they depend on attributes and types.
type recipe struct{ *opdef.Rewrite }

// in is input i; nil when absent.
func (b recipe) in(i int) *onnx.Value { return b.Node.In(i) }

// elem is the element type of input i.
func (b recipe) elem(i int) onnx.ElemType {
	if v := b.in(i); v != nil {
		return v.Type.Elem
	}
	return onnx.Undefined
}

// wants reports whether output i is present.
func (b recipe) wants(i int) bool { return b.Node.Out(i) != nil }

// do emits an operator without attributes.
func (b recipe) do(op string, ins ...*onnx.Value) *onnx.Value { return b.Op(op, ins) }

// ints is a constant of rank 1.
func (b recipe) ints(v ...int64) *onnx.Value { return b.Builder.Const(onnx.Vector(v...)) }

// int is a constant of rank 0.
func (b recipe) int(v int64) *onnx.Value { return b.Builder.Const(onnx.Scalar(v)) }

// f32 is a float32 constant of rank 0.
func (b recipe) f32(v float32) *onnx.Value { return b.Builder.Const(onnx.Scalar(v)) }

// num is the float32 number v as type e, of rank 0.
func (b recipe) num(e onnx.ElemType, v float32) *onnx.Value { return b.cast(b.f32(v), e) }

// cast is v as type e.
func (b recipe) cast(v *onnx.Value, e onnx.ElemType) *onnx.Value {
	if v.Type.Elem == e {
		return v
	}
	return b.Op("Cast", values{v}, onnx.Int("to", int64(e)))
}

// dim is entry i of v's shape, of rank 1; i may count from the end, -1 excepted.
func (b recipe) dim(v *onnx.Value, i int64) *onnx.Value {
	return b.Op("Shape", values{v}, onnx.Int("start", i), onnx.Int("end", i+1))
}

// concat joins tensors along an axis.
func (b recipe) concat(axis int64, vs ...*onnx.Value) *onnx.Value {
	return b.Op("Concat", vs, onnx.Int("axis", axis))
}

// reshape gives v the shape of the sizes that parts join to.
func (b recipe) reshape(v *onnx.Value, parts ...*onnx.Value) *onnx.Value {
	return b.do("Reshape", v, b.concat(0, parts...))
}

// transpose permutes the axes of v.
func (b recipe) transpose(v *onnx.Value, perm ...int64) *onnx.Value {
	return b.Op("Transpose", values{v}, onnx.Ints("perm", perm...))
}

// reduce reduces v over an axis, which stays with size 1.
func (b recipe) reduce(op string, v *onnx.Value, axis int64) *onnx.Value {
	return b.do(op, v, b.ints(axis))
}

// total reduces v over all axes to a scalar.
func (b recipe) total(op string, v *onnx.Value) *onnx.Value {
	return b.Op(op, values{v}, onnx.Int("keepdims", 0))
}

// apply writes a copy of the subgraph called name, which has one input and one output, for v; v itself without one.
func (b recipe) apply(name string, v *onnx.Value) *onnx.Value {
	g := b.Node.Subgraph(name)
	if g == nil {
		return v
	}
	outs, ok := b.inline(g, v)
	if !ok || len(outs) != 1 || !sameKind(outs[0].Type, v.Type) {
		b.Fail(onnx.Invalidf("attribute %s: expected a graph with one input and one output of type %v", name, v.Type))
		return v
	}
	return outs[0]
}

// sameKind reports whether element types, ranks and fixed sizes do not differ as far as they are known.
func sameKind(a, b onnx.Type) bool {
	if a.Kind != b.Kind && a.Kind != onnx.KindUnknown || a.Elem != b.Elem && a.Elem != onnx.Undefined {
		return false
	}
	if !a.Ranked || !b.Ranked {
		return true
	}
	return slices.EqualFunc(a.Shape, b.Shape, func(m, n onnx.Dim) bool { return !m.IsFixed() || !n.IsFixed() || m.N == n.N })
}

// inline writes a copy of g, a subgraph of the node, with args for its inputs, and gives its outputs; ok is false where
// inputs and args differ in number or an output is missing.
func (b recipe) inline(g *onnx.Graph, args ...*onnx.Value) (outs values, ok bool) {
	order, ok := onnx.Sorted(g, nil)
	if !ok || len(args) != len(g.Inputs) || slices.Contains(g.Outputs, nil) {
		return nil, false
	}
	outs, copied := g.Inline(b.Graph, args)
	for _, n := range order {
		b.Reinfer(copied.Nodes[n])
	}
	return outs, !slices.Contains(outs, nil)
}

// finish makes vs the node's outputs.
func (b recipe) finish(vs ...*onnx.Value) error {
	b.Replace(vs...)
	return b.Err()
}
