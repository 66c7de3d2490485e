package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// meet is what is known of a value that may be of either type.
func meet(a, b onnx.Type) onnx.Type {
	switch {
	case a.Kind == onnx.KindUnknown || b.Kind == onnx.KindUnknown || a.Kind != b.Kind:
		return onnx.Type{}
	case a.Kind == onnx.KindSequence && a.Of != nil && b.Of != nil:
		return onnx.SequenceOf(meet(*a.Of, *b.Of))
	case a.Kind == onnx.KindOptional && a.Of != nil && b.Of != nil:
		return onnx.OptionalOf(meet(*a.Of, *b.Of))
	case a.Kind != onnx.KindTensor:
		return a
	case a.Elem != b.Elem:
		return onnx.Unranked(onnx.Undefined)
	case !a.Ranked || !b.Ranked || len(a.Shape) != len(b.Shape):
		return onnx.Unranked(a.Elem)
	}
	t := onnx.TensorOf(a.Elem, a.Shape...)
	for i, d := range b.Shape {
		if !d.Same(t.Shape[i]) {
			t.Shape[i] = onnx.Unknown
		}
	}
	return t
}

// bodyTypes is the types of the outputs of the subgraph called name, by inference or else as they stand.
func bodyTypes(c *opdef.Infer, name string, in []onnx.Type) ([]onnx.Type, error) {
	i := bodyIndex(c.Node, name)
	if i < 0 {
		return nil, onnx.Invalidf("attribute %s is missing", name)
	}
	if c.BodyTypes != nil {
		return c.BodyTypes(i, in)
	}
	var out []onnx.Type
	for _, v := range c.Node.Subgraphs()[i].Outputs {
		out = append(out, v.Type)
	}
	return out, nil
}

// bodyIndex is the place of the subgraph called name among the subgraphs of n; -1 when there is none.
func bodyIndex(n *onnx.Node, name string) int {
	i := 0
	for k := range n.Attrs {
		a := &n.Attrs[k]
		switch {
		case a.G == nil:
			i += len(a.Graphs)
		case a.Name == name:
			return i
		default:
			i++
		}
	}
	return -1
}

// bodyOf is the compiled subgraph called name.
func bodyOf(c *opdef.Compile, name string) (opdef.Body, error) {
	if i := bodyIndex(c.Node, name); i >= 0 && i < len(c.Bodies) {
		return c.Bodies[i], nil
	}
	return nil, onnx.Invalidf("attribute %s is missing", name)
}

// keeper holds a copy of a value from one iteration to the next.
type keeper struct {
	v       opdef.View
	charged int // bytes paid for in this run
}

// keep copies v; values that lie outside the arena are shared, since they never change.
func (k *keeper) keep(r *opdef.Run, v opdef.View) error {
	if v.Box != nil {
		k.v = v
		return nil
	}
	n := len(v.Data)
	if n > k.charged {
		if err := r.Host.Memory(int64(n - k.charged)); err != nil {
			return err
		}
		k.charged = n
	}
	data := k.v.Data
	if cap(data) < n {
		data = onnx.Bytes(n)
	}
	data = data[:n]
	copy(data, v.Data)
	k.v = opdef.View{Elem: v.Elem, Shape: slices.Clone(v.Shape), Data: data}
	return nil
}

// release gives the paid bytes back at the end of a run.
func (k *keeper) release(r *opdef.Run) error {
	n := k.charged
	if k.charged = 0; n == 0 {
		return nil
	}
	return r.Host.Memory(-int64(n))
}

// stack collects tensors of one type and shape, one behind the other.
type stack struct {
	elem  onnx.ElemType
	shape []int // of each
	count int
	b     []byte // packed types spread
	s     []string
	paid  int
}

func (s *stack) reset() { s.count, s.b, s.s = 0, s.b[:0], s.s[:0] }

func (s *stack) push(r *opdef.Run, v opdef.View) error {
	switch {
	case v.Elem == onnx.Undefined:
		return onnx.Invalidf("expected a tensor")
	case s.count == 0:
		s.elem, s.shape = v.Elem, append(s.shape[:0], v.Shape...)
	case v.Elem != s.elem || !slices.Equal(v.Shape, s.shape):
		return onnx.Invalidf("expected shape %v of type %v as before, received shape %v of type %v", slices.Clone(s.shape), s.elem, v.Shape, v.Elem)
	}
	s.count++
	if v.Elem == onnx.String {
		s.s = append(s.s, v.Strings()...)
		return s.pay(r, 16*len(s.s))
	}
	n := len(v.Data)
	if v.Elem.Packed() {
		n = v.Len()
	}
	old := len(s.b)
	if old+n < old {
		return onnx.Invalidf("a stack of %d tensors of shape %v is too large", s.count, v.Shape)
	}
	if err := s.pay(r, old+n); err != nil {
		return err
	}
	if cap(s.b) < old+n {
		b := onnx.Bytes(max(old+n, 2*old))
		copy(b, s.b)
		s.b = b
	}
	s.b = s.b[:old+n]
	if v.Elem.Packed() {
		spread(s.b[old:], v.Data, v.Elem.Bits())
	} else {
		copy(s.b[old:], v.Data)
	}
	return nil
}

// pay charges what the stack has grown to.
func (s *stack) pay(r *opdef.Run, n int) error {
	if n <= s.paid {
		return nil
	}
	if err := r.Host.Memory(int64(n - s.paid)); err != nil {
		return err
	}
	s.paid = n
	return nil
}

func (s *stack) release(r *opdef.Run) error {
	n := s.paid
	if s.paid = 0; n == 0 {
		return nil
	}
	return r.Host.Memory(-int64(n))
}

// array is all elements.
func (s *stack) array() array {
	switch {
	case s.elem == onnx.String:
		return array{s: s.s}
	case s.elem.Packed():
		return array{size: 1, b: s.b}
	}
	return array{size: s.elem.Size(), b: s.b}
}

// empty makes the stack one of no tensors, of the type that is known of each.
func (s *stack) empty(t onnx.Type) {
	s.elem, s.shape = t.Elem, s.shape[:0]
	for _, d := range t.Shape {
		s.shape = append(s.shape, int(max(d.N, 0)))
	}
}

// deliver makes the stack output i: the count at the place axis, from the last to the first when backward.
func (s *stack) deliver(m *mover, i, axis int, backward bool) error {
	if !m.Wants(i) {
		return nil
	}
	r := len(s.shape)
	to, from := m.take(r+1), m.take(r+1)
	copy(to, s.shape[:axis])
	to[axis] = s.count
	copy(to[axis+1:], s.shape[axis:])
	if _, ok := onnx.NumElements(to); !ok {
		return onnx.Invalidf("output shape %v is too large", slices.Clone(to))
	}
	y, err := m.output(i, s.elem, to)
	if err != nil {
		return err
	}
	each := m.rowMajor(s.shape)
	copy(from, each[:axis])
	from[axis] = product(s.shape)
	copy(from[axis+1:], each[axis:])
	src := region{0, from}
	if backward && s.count > 0 {
		src.at = (s.count - 1) * from[axis]
		from[axis] = -from[axis]
	}
	m.strided(y, region{0, m.rowMajor(to)}, s.array(), src, to)
	return nil
}

// iterationSeed is the seed of the random numbers of a body in one iteration.
func iterationSeed(seed uint64, n int64) uint64 {
	return scramble(seed + scramble(uint64(n)+1))
}

// mustRepeat is an error when a body draws random numbers: the gradient computes the body again, with other numbers.
func mustRepeat(g *onnx.Graph) error {
	for _, n := range g.Nodes {
		if drawsRandom(n) {
			return onnx.Unsupportedf("the gradient of a body with random numbers (node %.128q) is not supported", n.Label())
		}
		for _, s := range n.Subgraphs() {
			if err := mustRepeat(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func drawsRandom(n *onnx.Node) bool {
	switch n.OpType {
	case "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial":
		return true
	case "Dropout":
		return n.In(2) != nil
	}
	return false
}

// reaches reports whether the gradient goes through a value of this type.
func reaches(t onnx.Type) bool { return t.Kind == onnx.KindTensor && t.Elem.IsFloat() }
