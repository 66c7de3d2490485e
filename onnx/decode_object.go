package onnx

import "github.com/gneiss-ml/gneiss/internal/wire"

// DecodeObject reads an object of type t from the bytes of the message that the standard has for it: a TensorProto,
// SparseTensorProto, SequenceProto, MapProto or OptionalProto. The object refers to b. It is an error if the message holds
// another kind or element type than t, where t says one.
func DecodeObject(b []byte, t Type) (Object, error) {
	d, r, err := newDecoder(Limits{}, b)
	if err != nil {
		return nil, err
	}
	o, err := d.object(r, t)
	return o, prefixed(err)
}

// Numbers of SequenceProto.DataType and OptionalProto.DataType, which are also the numbers of the fields less 2.
var objectKinds = [...]Kind{KindUnknown, KindTensor, KindSparseTensor, KindSequence, KindMap, KindOptional}

func (d *decoder) object(r *wire.Reader, t Type) (Object, error) {
	switch t.Kind {
	case KindTensor, KindUnknown:
		x, err := d.tensor(r)
		if err == nil && t.Elem != Undefined && x.Elem != t.Elem {
			err = Invalidf("expected elements of type %v, received %v", t.Elem, x.Elem)
		}
		return x, err
	case KindSparseTensor:
		return d.sparseTensor(r)
	case KindSequence:
		return d.sequence(r, *t.of())
	case KindMap:
		return d.mapping(r, *t.of())
	case KindOptional:
		return d.optional(r, *t.of())
	}
	return nil, Unsupportedf("an object of type %v has no message", t)
}

// of is the type inside t, which may say nothing.
func (t Type) of() *Type {
	if t.Of == nil {
		return &Type{}
	}
	return t.Of
}

// item reads the item that stands in the field at hand.
func (d *decoder) item(r *wire.Reader, of Type) (Object, error) {
	kind := objectKinds[r.Num-2]
	if of.Kind != KindUnknown && of.Kind != kind {
		return nil, Invalidf("expected %v, received field %d", of, r.Num)
	}
	of.Kind = kind
	return d.object(r.Message(), of)
}

// sequence reads a SequenceProto; what it says of its elements counts where the type says nothing.
func (d *decoder) sequence(r *wire.Reader, of Type) (*Sequence, error) {
	s := &Sequence{Of: of}
	if err := d.charge(sizeOf[Sequence]()); err != nil {
		return nil, err
	}
	for r.Next() {
		switch {
		case r.Num == 1:
			s.name = d.str(r)
		case r.Num == 2:
			n := r.Int32()
			s.stated = &n
			if err := s.Of.restrict(n); err != nil {
				return nil, err
			}
		case r.Num >= 3 && r.Num <= 7:
			o, err := d.item(r, s.Of)
			if err != nil {
				return nil, within("values", len(s.Items), err)
			}
			s.Items = append(s.Items, o)
		}
	}
	return s, finish(r)
}

// restrict gives t the kind that a message says its items have.
func (t *Type) restrict(n int32) error {
	if n < 0 || int(n) >= len(objectKinds) {
		return Invalidf("elem_type: kind %d does not exist", n)
	}
	if kind := objectKinds[n]; t.Kind == KindUnknown {
		t.Kind, t.Of = kind, nil
		if kind >= KindSequence {
			t.Of = &Type{}
		}
	}
	return nil
}

func (d *decoder) optional(r *wire.Reader, of Type) (*Optional, error) {
	o := &Optional{Of: of}
	if err := d.charge(sizeOf[Optional]()); err != nil {
		return nil, err
	}
	for r.Next() {
		var err error
		switch {
		case r.Num == 1:
			o.name = d.str(r)
		case r.Num == 2:
			n := r.Int32()
			o.stated = &n
			err = o.Of.restrict(n)
		case r.Num >= 3 && r.Num <= 7:
			o.Item, err = d.item(r, o.Of)
			err = within("value", -1, err)
		}
		if err != nil {
			return nil, err
		}
	}
	return o, finish(r)
}

// mapping reads a MapProto.
func (d *decoder) mapping(r *wire.Reader, of Type) (*Map, error) {
	if err := d.charge(sizeOf[Map]()); err != nil {
		return nil, err
	}
	m := &Map{}
	key := Undefined
	var ints []int64
	var texts []string
	var values *wire.Reader
	for r.Next() {
		var err error
		switch r.Num {
		case 1:
			m.name = d.str(r)
		case 2:
			key, err = elem(r.Int32())
		case 3:
			if err = d.charge(16 * int64(r.CountVarints())); err == nil {
				r.EachVarint(func(v uint64) { ints = append(ints, int64(v)) })
			}
		case 4:
			texts = append(texts, d.str(r))
		case 5:
			values = r.Message()
		}
		if err != nil {
			return nil, err
		}
	}
	if err := finish(r); err != nil {
		return nil, err
	}
	if values == nil {
		values = wire.NewReader(nil, 0)
	}
	seq, err := d.sequence(values, of)
	if err != nil {
		return nil, within("values", -1, err)
	}
	if m.Keys, err = mapKeys(key, ints, texts); err != nil {
		return nil, err
	}
	if m.Keys.Len() != len(seq.Items) {
		return nil, Invalidf("map of %d keys: received %d values", m.Keys.Len(), len(seq.Items))
	}
	m.Values = seq
	return m, nil
}

// mapKeys makes the tensor of keys: strings, or integers of type key.
func mapKeys(key ElemType, ints []int64, texts []string) (*Tensor, error) {
	if key == String {
		if len(ints) > 0 {
			return nil, Invalidf("map from string: received integer keys")
		}
		return Strings(texts, len(texts))
	}
	if !key.IsInteger() || len(texts) > 0 {
		return nil, Invalidf("map from %v: expected integer or string keys of that type", key)
	}
	t, err := Zeros(key, len(ints))
	if err != nil {
		return nil, err
	}
	for i, v := range ints {
		key.put(t.data, i, uint64(v))
		if key.varint(t.data, i) != uint64(v) {
			return nil, Invalidf("map key %d does not fit %v", v, key)
		}
	}
	return t, nil
}
