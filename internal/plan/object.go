package plan

import (
	"errors"
	"slices"
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Check refuses an object with missing parts or with contents that do not fit its shape.
func Check(o onnx.Object) error {
	switch o := o.(type) {
	case *onnx.Tensor:
		if o == nil {
			return onnx.Invalidf("a tensor is missing")
		}
		return checkBytes(o.Elem, o.Shape, len(o.Bytes()), len(o.StringData()))
	case *onnx.Sequence:
		if o == nil {
			return onnx.Invalidf("a sequence is missing")
		}
		for i, x := range o.Items {
			if err := Check(x); err != nil {
				return onnx.Invalidf("item %d: %w", i, err)
			}
		}
		return nil
	case *onnx.Optional:
		if o == nil || o.Item == nil {
			return nil
		}
		return Check(o.Item)
	case *onnx.Map:
		if o == nil || o.Keys == nil || o.Values == nil {
			return onnx.Invalidf("a map without keys or values")
		}
		return errors.Join(Check(o.Keys), Check(o.Values))
	case *onnx.SparseTensor:
		if o == nil || o.Values == nil || o.Indices == nil {
			return onnx.Invalidf("a sparse tensor without values or indices")
		}
		return errors.Join(Check(o.Values), Check(o.Indices))
	}
	return onnx.Invalidf("a value is missing")
}

// matches reports whether v is of type t, as far as t says something; shapes are not looked at.
func matches(v opdef.View, t onnx.Type) bool {
	switch t.Kind {
	case onnx.KindUnknown, onnx.KindOpaque:
		return true
	case onnx.KindTensor:
		return v.Elem != onnx.Undefined && (t.Elem == v.Elem || t.Elem == onnx.Undefined)
	case onnx.KindSequence:
		s, ok := v.Box.(*opdef.Seq)
		return ok && (t.Of == nil || !slices.ContainsFunc(s.Items, func(x opdef.View) bool { return !matches(x, *t.Of) }))
	case onnx.KindOptional:
		p, ok := v.Box.(*opdef.Opt)
		return ok && (t.Of == nil || p.Item == nil || matches(*p.Item, *t.Of))
	case onnx.KindMap:
		m, ok := v.Box.(*onnx.Map)
		return ok && m.Keys.Elem == t.Key
	}
	s, ok := v.Box.(*onnx.SparseTensor)
	return ok && (t.Elem == s.Values.Elem || t.Elem == onnx.Undefined)
}

// ViewOf is o, which Check has passed, as an input of a run. Its bytes stay o's, unless they are misaligned: then they are copied.
func ViewOf(o onnx.Object) opdef.View {
	switch o := o.(type) {
	case *onnx.Tensor:
		return tensorView(o)
	case *onnx.Sequence:
		s := &opdef.Seq{Of: *o.ObjectType().Of, Items: make([]opdef.View, len(o.Items))}
		for i, x := range o.Items {
			s.Items[i] = ViewOf(x)
		}
		return opdef.View{Box: s}
	case *onnx.Optional:
		p := &opdef.Opt{Of: *o.ObjectType().Of}
		if o.Item != nil {
			item := ViewOf(o.Item)
			p.Item = &item
		}
		return opdef.View{Box: p}
	case nil:
		return opdef.View{}
	}
	return opdef.View{Box: o}
}

func tensorView(t *onnx.Tensor) opdef.View {
	v := opdef.View{Elem: t.Elem, Shape: slices.Clone(t.Shape), Data: aligned(t.Elem, t.Bytes())}
	if t.Elem == onnx.String {
		v.Box = nonNil(t.StringData())
	}
	return v
}

// nonNil keeps a string tensor without elements apart from an absent value.
func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// aligned is b, or a copy when no slice of e's Go type may stand there.
func aligned(e onnx.ElemType, b []byte) []byte {
	size := min(e.Size(), 8)
	if len(b) == 0 || size < 2 || uintptr(unsafe.Pointer(&b[0]))%uintptr(size) == 0 {
		return b
	}
	c := onnx.Bytes(len(b))
	copy(c, b)
	return c
}

// ObjectOf copies a result so that it shares nothing with the run; nil for an absent value.
func ObjectOf(v opdef.View) (onnx.Object, error) {
	switch b := v.Box.(type) {
	case *opdef.Seq:
		s := &onnx.Sequence{Of: b.Of.Clone(), Items: make([]onnx.Object, len(b.Items))}
		for i, x := range b.Items {
			o, err := ObjectOf(x)
			if err != nil {
				return nil, err
			}
			s.Items[i] = o
		}
		return s, nil
	case *opdef.Opt:
		o := &onnx.Optional{Of: b.Of.Clone()}
		if b.Item == nil {
			return o, nil
		}
		item, err := ObjectOf(*b.Item)
		o.Item = item
		return o, err
	case onnx.Object:
		return b, nil
	}
	if v.Absent() {
		return nil, nil
	}
	return TensorOf(v)
}

// TensorOf copies a tensor result.
func TensorOf(v opdef.View) (*onnx.Tensor, error) {
	if v.Elem == onnx.String {
		return onnx.Strings(v.Strings(), v.Shape...)
	}
	if v.Box != nil || v.Absent() {
		return nil, onnx.Invalidf("expected a tensor, received %v", typeOf(v))
	}
	t, err := onnx.Zeros(v.Elem, v.Shape...)
	if err != nil {
		return nil, err
	}
	copy(t.Mutable(), v.Data)
	return t, nil
}

// typeOf is the type of a value in a run.
func typeOf(v opdef.View) onnx.Type {
	switch b := v.Box.(type) {
	case *opdef.Seq:
		return onnx.SequenceOf(b.Of)
	case *opdef.Opt:
		return onnx.OptionalOf(b.Of)
	case onnx.Object:
		return b.ObjectType()
	}
	if v.Absent() {
		return onnx.Type{}
	}
	return (&onnx.Tensor{Elem: v.Elem, Shape: v.Shape}).Type()
}

// overlap reports whether two slices share a byte.
func overlap(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	x, y := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return x < y+uintptr(len(b)) && y < x+uintptr(len(a))
}
