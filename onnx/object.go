package onnx

// Object is a value of any kind: *Tensor, *SparseTensor, *Sequence, *Map or *Optional.
type Object interface {
	// ObjectType is the type of the object, every size fixed.
	ObjectType() Type
}

// ObjectType is t.Type().
func (t *Tensor) ObjectType() Type { return t.Type() }

// SparseTensor is a tensor of which only some elements are stored (COO form of the standard).
type SparseTensor struct {
	Values  *Tensor // [NNZ]; its name is the name of the sparse tensor
	Indices *Tensor // int64 [NNZ] of flat positions or [NNZ, rank] of coordinates, ascending
	Dims    []int   // shape of the dense tensor
	unknown []byte
}

// ObjectType is the type of the sparse tensor.
func (s *SparseTensor) ObjectType() Type {
	t := (&Tensor{Elem: s.Values.Elem, Shape: s.Dims}).Type()
	t.Kind = KindSparseTensor
	return t
}

// Sequence is a list of objects of one type.
type Sequence struct {
	Of    Type // type of the elements; needed when there are none
	Items []Object

	name   string
	stated *int32 // elem_type of the file
}

// ObjectType is the sequence of Of, or of the first item's type when Of says nothing.
func (s *Sequence) ObjectType() Type {
	if s.Of.Kind == KindUnknown && len(s.Items) > 0 {
		t := s.Items[0].ObjectType()
		return SequenceOf(Unranked(t.Elem))
	}
	return SequenceOf(s.Of)
}

// Optional holds an object or nothing.
type Optional struct {
	Of   Type // type of the object; needed when there is none
	Item Object

	name   string
	stated *int32 // elem_type of the file
}

// ObjectType is the optional of Of, or of the item's type when Of says nothing.
func (o *Optional) ObjectType() Type {
	if o.Of.Kind == KindUnknown && o.Item != nil {
		return OptionalOf(o.Item.ObjectType())
	}
	return OptionalOf(o.Of)
}

// Map is keys, integers or strings, with a value each, in the order of the file.
type Map struct {
	Keys   *Tensor // [N], an integer type or String
	Values Object  // tensor [N], or *Sequence of N objects

	name string
}

// ObjectType is the map type.
func (m *Map) ObjectType() Type {
	of := m.Values.ObjectType()
	if of.Kind == KindSequence {
		of = *of.Of
	}
	return MapOf(m.Keys.Elem, of)
}
