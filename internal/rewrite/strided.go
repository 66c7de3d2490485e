package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// strided says where the elements of a value lie in another one, base, from which it was made by moving alone: element i of axis
// a is stride[a]·i after the first, which is at offset. All sizes are known.
type strided struct {
	base          *onnx.Value
	offset        int
	shape, stride []int
}

// fixedShape is the sizes of v where all are known and small enough to count with.
func fixedShape(v *onnx.Value) ([]int, bool) {
	if v == nil || !v.Type.Ranked {
		return nil, false
	}
	shape := make([]int, len(v.Type.Shape))
	for i, d := range v.Type.Shape {
		if !d.IsFixed() || d.N < 1 || d.N > 1<<30 {
			return nil, false
		}
		shape[i] = int(d.N)
	}
	n, ok := onnx.NumElements(shape)
	return shape, ok && n <= 1<<30
}

// stridesOf is the strides of a row-major tensor.
func stridesOf(shape []int) []int {
	s, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// stridedDepth is how many moves are followed.
const stridedDepth = 16

// stridedOf follows the nodes before v that only move elements, as far as strides can say what they do.
func (p *optimiser) stridedOf(v *onnx.Value, depth int) (strided, bool) {
	shape, ok := fixedShape(v)
	if !ok {
		return strided{}, false
	}
	if n := v.Node(); n != nil && depth > 0 && onnx.IsDefaultDomain(n.Domain) && n.NumIn() > 0 {
		if x, ok := p.stridedOf(n.In(0), depth-1); ok {
			if s, ok := p.moved(n, v, x, shape); ok {
				return s, true
			}
		}
	}
	return strided{base: v, shape: shape, stride: stridesOf(shape)}, true
}

// moved is what n makes of x, its first input, for its output v of the given shape.
func (p *optimiser) moved(n *onnx.Node, v *onnx.Value, x strided, shape []int) (strided, bool) {
	switch n.OpType {
	case "Reshape", "Squeeze", "Unsqueeze", "Flatten":
		return x.reshaped(shape)
	case "Transpose":
		return x.transposed(n)
	case "Gather":
		i, ok := p.number(n.In(1))
		axis := int(n.Int("axis", 0))
		if axis < 0 {
			axis += len(x.shape)
		}
		if !ok || n.In(1).Type.Rank() != 0 || axis < 0 || axis >= len(x.shape) {
			return strided{}, false
		}
		if i < 0 {
			i += float64(x.shape[axis])
		}
		if i < 0 || i >= float64(x.shape[axis]) {
			return strided{}, false
		}
		x.offset += int(i) * x.stride[axis]
		x.stride = slices.Delete(slices.Clone(x.stride), axis, axis+1)
		x.shape = shape
		return x, len(x.stride) == len(shape)
	case "Split":
		return x.part(n, v, shape)
	}
	return strided{}, false
}

func (x strided) transposed(n *onnx.Node) (strided, bool) {
	perm, ok := n.Ints("perm")
	if !ok || len(perm) != len(x.shape) {
		return strided{}, false
	}
	y := strided{base: x.base, offset: x.offset}
	for _, a := range perm {
		if a < 0 || int(a) >= len(perm) {
			return strided{}, false
		}
		y.shape, y.stride = append(y.shape, x.shape[a]), append(y.stride, x.stride[a])
	}
	return y, true
}

// part is output v of n, a Split.
func (x strided) part(n *onnx.Node, v *onnx.Value, shape []int) (strided, bool) {
	axis := int(n.Int("axis", 0))
	if axis < 0 {
		axis += len(x.shape)
	}
	if axis < 0 || axis >= len(x.shape) {
		return strided{}, false
	}
	for _, y := range n.Outputs() {
		if y == v {
			x.shape = shape
			return x, true
		}
		s, ok := fixedShape(y)
		if !ok || axis >= len(s) {
			return strided{}, false
		}
		x.offset += s[axis] * x.stride[axis]
	}
	return strided{}, false
}

// reshaped gives x another shape with as many elements, where the strides of its axes allow it.
func (x strided) reshaped(shape []int) (strided, bool) {
	y := strided{base: x.base, offset: x.offset, shape: shape, stride: make([]int, len(shape))}
	to := len(shape) - 1
	for from := len(x.shape) - 1; from >= 0; {
		// Axes of x that continue each other are one.
		n, step := x.shape[from], x.stride[from]
		for from--; from >= 0 && (x.shape[from] == 1 || n == 1 || x.stride[from] == step*n); from-- {
			if n == 1 {
				step = x.stride[from]
			}
			n *= x.shape[from]
		}
		for ; to >= 0 && n > 1; to-- {
			if n%shape[to] != 0 {
				return strided{}, false
			}
			y.stride[to] = step
			step *= shape[to]
			n /= shape[to]
		}
		if n > 1 {
			return strided{}, false
		}
	}
	for ; to >= 0; to-- {
		if shape[to] != 1 {
			return strided{}, false
		}
	}
	return y, true
}

// rows gives v, [batch, heads, length, size] or turned [batch, length, heads, size], as [batch, length, heads·size] by a Slice of
// the rows that it lies in; nil if it lies otherwise.
func (a *attention) rows(v *onnx.Value, turned bool) func() *onnx.Value {
	s, ok := a.p.stridedOf(v, stridedDepth)
	if !ok || len(s.shape) != 4 {
		return nil
	}
	b, h, l, d := 0, 1, 2, 3
	if turned {
		h, l = l, h
	}
	batch, length, width := s.shape[b], s.shape[l], s.shape[h]*s.shape[d]
	row := s.stride[l]
	if length == 1 {
		row = width
		if batch > 1 {
			row = s.stride[b]
		}
	}
	base, _ := fixedShape(s.base)
	all, _ := onnx.NumElements(base)
	switch {
	case s.shape[d] > 1 && s.stride[d] != 1, s.shape[h] > 1 && s.stride[h] != s.shape[d],
		batch > 1 && s.stride[b] != length*row, all != batch*length*row, s.offset+width > row:
		return nil
	}
	return func() *onnx.Value {
		x, shape := s.base, slices.Clone(base)
		if row != width {
			if last := len(shape) - 1; shape[last] != row {
				shape = []int{batch * length, row}
				x = a.reshape(x, shape...)
			}
			last := len(shape) - 1
			shape[last] = width
			x = a.add("Slice", shape, x, a.ints(int64(s.offset)), a.ints(int64(s.offset+width)), a.ints(int64(last)))
		}
		return a.reshape(x, batch, length, width)
	}
}

// fromRows makes the attention read and write [batch, length, heads·size] where Q, K and V lie so among other things, and the
// result is moved to such an order; it reports whether that is so.
func (a *attention) fromRows() bool {
	q, k, v := a.rows(a.q, false), a.rows(a.k, a.turned), a.rows(a.v, false)
	y := a.last.Out(0)
	shape, ok := fixedShape(y)
	if q == nil || k == nil || v == nil || !ok || len(y.Uses()) != 1 || !a.p.onlyReader(y, y.Uses()[0].Node) {
		return false
	}
	t := y.Uses()[0].Node
	perm, _ := permOf(t)
	if !slices.Equal(perm, []int64{0, 2, 1, 3}) && (shape[0] != 1 || !slices.Equal(perm, []int64{2, 0, 1, 3})) {
		return false
	}
	to, ok := fixedShape(t.Out(0))
	if !ok {
		return false
	}
	a.q, a.k, a.v = q(), k(), v()
	y.Type = onnx.TensorOf(y.Type.Elem, onnx.Fixed(shape[0]), onnx.Fixed(shape[2]), onnx.Fixed(shape[1]*shape[3]))
	a.p.become(t, &onnx.Node{OpType: "Reshape"}, nil, y, a.shapeConst(to...))
	return true
}

// add appends a node before the attention.
func (a *attention) add(op string, shape []int, in ...*onnx.Value) *onnx.Value {
	n := a.last.Graph().Add("", op, 1, in)
	n.ID, n.Origin, n.Name = a.last.ID, origin(a.last), a.last.Name
	y := n.Out(0)
	y.Type = onnx.TensorOf(in[0].Type.Elem)
	for _, d := range shape {
		y.Type.Shape = append(y.Type.Shape, onnx.Fixed(d))
	}
	return y
}

func (a *attention) reshape(x *onnx.Value, shape ...int) *onnx.Value {
	if s, ok := fixedShape(x); ok && slices.Equal(s, shape) {
		return x
	}
	return a.add("Reshape", shape, x, a.shapeConst(shape...))
}

func (a *attention) shapeConst(shape ...int) *onnx.Value {
	dims := make([]int64, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	return a.ints(dims...)
}

func (a *attention) ints(v ...int64) *onnx.Value {
	t := onnx.Vector(v...)
	return a.p.g.Initializer("const", t.Type(), t)
}
