package opdef

import (
	"errors"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// ErrNoRank says that a rank that is needed is not known yet: the outputs stay unranked and inference goes on. It is a
// normal outcome.
var ErrNoRank = errors.New("rank unknown")

// Infer is the context of Def.Infer.
type Infer struct {
	Node *onnx.Node
	Ins  []onnx.Type
	Outs []onnx.Type // to be set; storage of the shapes is reused from call to call
	// InInts and OutInts are the contents of integer tensors of rank 0 and 1 where known, as dims, so that a shape that a
	// graph computes keeps its names. Nil: not known.
	InInts, OutInts [][]onnx.Dim
	// Consts are the contents of inputs that never change; nil entries: not constant.
	Consts []*onnx.Tensor
	// BodyTypes infers subgraph i for inputs of the given types and returns its outputs' types. Nil when the caller cannot.
	BodyTypes func(i int, in []onnx.Type) ([]onnx.Type, error)
}

// Has reports whether input i is present.
func (c *Infer) Has(i int) bool { return i < len(c.Ins) && c.Node.In(i) != nil }

// In is the type of input i; ok is false when the input is absent.
func (c *Infer) In(i int) (t onnx.Type, ok bool) {
	if !c.Has(i) {
		return onnx.Type{}, false
	}
	return c.Ins[i], true
}

// Elem is the element type of input i; Undefined when absent or unknown.
func (c *Infer) Elem(i int) onnx.ElemType {
	t, _ := c.In(i)
	return t.Elem
}

// Shape is the shape of input i: ErrNoRank when unknown, an error of the invalid kind when absent.
func (c *Infer) Shape(i int) ([]onnx.Dim, error) {
	t, ok := c.In(i)
	switch {
	case !ok:
		return nil, onnx.Invalidf("input %d is missing", i)
	case !t.Ranked:
		return nil, ErrNoRank
	}
	return t.Shape, nil
}

// ShapeRank is Shape for an input that must have the given rank.
func (c *Infer) ShapeRank(i, rank int) ([]onnx.Dim, error) {
	s, err := c.Shape(i)
	if err == nil && len(s) != rank {
		return nil, onnx.Invalidf("input %d: expected rank %d, received %v", i, rank, c.Ins[i])
	}
	return s, err
}

// Ints is the contents of integer input i (rank 0 or 1) as far as known: entries may be named or unknown dims.
func (c *Infer) Ints(i int) ([]onnx.Dim, bool) {
	if !c.Has(i) {
		return nil, false
	}
	if i < len(c.InInts) && c.InInts[i] != nil {
		return c.InInts[i], true
	}
	if t := c.Const(i); t != nil && len(t.Shape) <= 1 {
		return DimsOf(t)
	}
	return nil, false
}

// FixedInts is Ints when every entry is known.
func (c *Infer) FixedInts(i int) ([]int64, bool) {
	ds, ok := c.Ints(i)
	if !ok {
		return nil, false
	}
	v := make([]int64, len(ds))
	for j, d := range ds {
		if d.Name != "" || d.N == onnx.Unknown.N {
			return nil, false
		}
		v[j] = d.N
	}
	return v, true
}

// Const is the contents of input i when they never change; nil otherwise.
func (c *Infer) Const(i int) *onnx.Tensor {
	if i < len(c.Consts) {
		return c.Consts[i]
	}
	return nil
}

// DimsOf gives the elements of an int64 or int32 tensor as dims. Negative elements keep their value.
func DimsOf(t *onnx.Tensor) ([]onnx.Dim, bool) {
	switch t.Elem {
	case onnx.Int64:
		return dims(onnx.Data[int64](t)), true
	case onnx.Int32:
		return dims(onnx.Data[int32](t)), true
	}
	return nil, false
}

func dims[T int32 | int64](v []T) []onnx.Dim {
	d := make([]onnx.Dim, len(v))
	for i, n := range v {
		d[i] = onnx.Dim{N: int64(n)}
	}
	return d
}

// Set gives output i a tensor type. The shape is copied. Outputs that the node lacks are ignored.
func (c *Infer) Set(i int, e onnx.ElemType, shape ...onnx.Dim) {
	if i >= len(c.Outs) {
		return
	}
	o := &c.Outs[i]
	o.Kind, o.Elem, o.Ranked, o.Of, o.Key = onnx.KindTensor, e, true, nil, 0
	o.Shape = append(o.Shape[:0], shape...)
}

// SetUnranked gives output i an element type and no shape.
func (c *Infer) SetUnranked(i int, e onnx.ElemType) {
	if i < len(c.Outs) {
		c.Outs[i] = onnx.Unranked(e)
	}
}

// SetType gives output i any type.
func (c *Infer) SetType(i int, t onnx.Type) {
	if i < len(c.Outs) {
		c.Outs[i] = t.Clone()
	}
}

// SetInts gives output i known contents.
func (c *Infer) SetInts(i int, v []onnx.Dim) {
	if i < len(c.OutInts) {
		c.OutInts[i] = v
	}
}

// SameAsFirst is the Infer of operators whose first output is like their first input.
func SameAsFirst(c *Infer) error { return c.Like(0, 0) }

// Like gives output i the type of input j.
func (c *Infer) Like(i, j int) error { return c.LikeElem(i, j, c.Elem(j)) }

// LikeElem gives output i the shape of input j and element type e.
func (c *Infer) LikeElem(i, j int, e onnx.ElemType) error {
	t, ok := c.In(j)
	switch {
	case !ok:
		return onnx.Invalidf("input %d is missing", j)
	case t.Kind != onnx.KindTensor && t.Kind != onnx.KindUnknown:
		c.SetType(i, t)
	case !t.Ranked:
		c.SetUnranked(i, e)
	default:
		c.Set(i, e, t.Shape...)
	}
	return nil
}

// Broadcast is the shape that numpy's broadcasting gives for a and b.
func Broadcast(a, b []onnx.Dim) ([]onnx.Dim, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	for i, d := range b {
		o := &out[len(a)-len(b)+i]
		switch {
		case o.Same(d) || d.IsFixed() && d.N == 1:
		case o.IsFixed() && o.N == 1:
			*o = d
		case o.IsFixed() && d.IsFixed():
			return nil, onnx.Invalidf("shapes %v and %v do not broadcast", a, b)
		case d.IsFixed():
			*o = d
		case o.IsFixed():
		default:
			*o = onnx.Unknown
		}
	}
	return out, nil
}

// SetBroadcast gives output i the broadcast shape of the inputs js and element type e; ErrNoRank when a rank is unknown.
func (c *Infer) SetBroadcast(i int, e onnx.ElemType, js ...int) error {
	var out []onnx.Dim
	for _, j := range js {
		s, err := c.Shape(j)
		if err == nil {
			out, err = Broadcast(out, s)
		}
		if err != nil {
			c.SetUnranked(i, e)
			return err
		}
	}
	c.Set(i, e, out...)
	return nil
}
