package onnx

import (
	"bytes"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// tensor writes a TensorProto called name: in the field that the elements came from, new tensors in raw_data.
func (e *encoder) tensor(t *Tensor, name string) {
	f := &t.form
	for _, d := range t.Shape {
		e.Varint(1, int64(d))
	}
	e.Varint(2, int64(t.Elem))
	if f.present.has(3) {
		e.Bytes(3, f.segment)
	}
	x := t.External
	if x == nil && e.place != nil {
		x = e.place(t)
	}
	typed := x == nil && (f.typed || t.Elem == String)
	if typed {
		e.typedData(t, 4, 5, 6, 7)
	}
	e.str(8, name, f.present)
	if x == nil && !typed && (t.ByteLen() > 0 || f.present.has(9) && !f.external) {
		e.Bytes(9, t.rawData())
	}
	if typed {
		e.typedData(t, 10, 11)
	}
	e.str(12, t.Doc, f.present)
	e.location(t, x)
	e.entries(16, t.Metadata)
	e.Raw(f.unknown)
	e.holds(t, name, x)
}

// holds checks that t has the elements that its shape asks for.
func (e *encoder) holds(t *Tensor, name string, x *External) {
	n, ok := NumElements(t.Shape)
	size, ok2 := t.Elem.NumBytes(n)
	switch {
	case !ok || !ok2 || !t.Elem.Valid():
		e.fail(tensorError(name, Invalidf("no tensor of type %v and shape %v", t.Elem, t.Shape)))
	case x != nil:
	case t.Elem == String && len(t.strings) != n:
		e.fail(tensorError(name, Invalidf("expected %d strings, received %d", n, len(t.strings))))
	case len(t.Bytes()) != size:
		e.fail(tensorError(name, Invalidf("expected %d bytes, received %d", size, len(t.Bytes()))))
	}
}

// location writes external_data and data_location.
func (e *encoder) location(t *Tensor, x *External) {
	switch f := &t.form; {
	case x != nil:
		e.entries(13, x.list())
		e.Varint(14, 1)
	case f.external: // read into memory, so no longer external
	default:
		e.entries(13, f.entries)
		if f.present.has(14) {
			e.Varint(14, 0)
		}
	}
}

// list is x as entries: those of the file where they still say the same.
func (x *External) list() []Entry {
	t := Tensor{form: form{entries: x.entries}}
	if t.setExternal(&stored{}) == nil {
		if o := t.External; o.Location == x.Location && o.Offset == x.Offset && o.Length == x.Length && o.Checksum == x.Checksum {
			return x.entries
		}
	}
	list := []Entry{{"location", x.Location}, {"offset", strconv.FormatInt(x.Offset, 10)}}
	if x.Length >= 0 {
		list = append(list, Entry{"length", strconv.FormatInt(x.Length, 10)})
	}
	if x.Checksum != "" {
		list = append(list, Entry{"checksum", x.Checksum})
	}
	return list
}

// rawData is the bytes of raw_data: those of the file where they still say the same.
func (t *Tensor) rawData() []byte {
	b := t.Bytes()
	if odd := t.form.odd; !t.form.typed && len(odd) == len(b) && bytes.Equal(truths(odd), b) {
		return odd
	}
	return b
}

// typedData writes the field of t's type if it is one of fields.
func (e *encoder) typedData(t *Tensor, fields ...protowire.Number) {
	num := protowire.Number(typedField(t.Elem))
	for _, f := range fields {
		if f != num {
			continue
		}
		switch num {
		case 4, 10:
			if t.ByteLen() > 0 {
				e.Bytes(num, t.Bytes())
			}
		case 6:
			e.strings(num, t.strings)
		default:
			e.varints(num, t)
		}
	}
}

func (e *encoder) varints(num protowire.Number, t *Tensor) {
	if odd := t.form.odd; odd != nil {
		if data, _, _ := t.Elem.fromVarints(odd, t.ByteLen()); bytes.Equal(data, t.Bytes()) {
			e.Bytes(num, odd)
			return
		}
	}
	n := t.Len()
	if t.Elem.Packed() && t.Elem.Bits() != 6 {
		n = t.ByteLen()
	}
	if size, ok := t.Elem.NumBytes(t.Len()); !ok || size != t.ByteLen() {
		return // holds reports it
	}
	data := t.Bytes()
	e.Packed(num, n, func(i int) uint64 { return t.Elem.varint(data, i) })
}

// sparse writes a SparseTensorProto.
func (e *encoder) sparse(s *SparseTensor, name string) {
	e.Message(1, func() { e.tensor(s.Values, name) })
	e.Message(2, func() { e.tensor(s.Indices, s.Indices.Name) })
	for _, d := range s.Dims {
		e.Varint(3, int64(d))
	}
	e.Raw(s.unknown)
}

// EncodeObject writes o as the bytes of the message that the standard has for its kind (see DecodeObject).
func EncodeObject(o Object) ([]byte, error) {
	e := encoder{}
	e.object(o)
	return e.finish()
}

func (e *encoder) object(o Object) {
	switch o := o.(type) {
	case *Tensor:
		e.tensor(o, o.Name)
	case *SparseTensor:
		e.sparse(o, o.Values.Name)
	case *Sequence:
		e.str(1, o.name, 0)
		e.items(o.Of.Kind, o.stated, o.Items...)
	case *Optional:
		e.str(1, o.name, 0)
		if o.Item == nil {
			e.items(o.Of.Kind, o.stated)
			return
		}
		e.items(o.Of.Kind, o.stated, o.Item)
	case *Map:
		e.mapping(o)
	default:
		e.fail(Invalidf("an object of type %T cannot be written", o))
	}
}

// items writes the kind of the items, which is what the file stated where there are none, and the items.
func (e *encoder) items(kind Kind, stated *int32, items ...Object) {
	if len(items) == 0 && stated != nil {
		e.Varint(2, int64(*stated))
		return
	}
	if kind == KindUnknown && len(items) > 0 {
		kind = items[0].ObjectType().Kind
	}
	num := 0
	for i, k := range objectKinds {
		if k == kind {
			num = i
		}
	}
	e.Varint(2, int64(num))
	for i, o := range items {
		if o == nil || o.ObjectType().Kind != kind {
			e.fail(Invalidf("item %d is not of the kind of the others", i))
			return
		}
		e.Message(protowire.Number(num+2), func() { e.object(o) })
	}
}

func (e *encoder) mapping(m *Map) {
	e.str(1, m.name, 0)
	e.Varint(2, int64(m.Keys.Elem))
	if m.Keys.Elem == String {
		e.strings(4, m.Keys.strings)
	} else {
		for i := range m.Keys.Len() {
			e.Varint(3, int64(m.Keys.Elem.varint(m.Keys.data, i)))
		}
	}
	seq, ok := m.Values.(*Sequence)
	if !ok {
		e.fail(Unsupportedf("a map whose values are a tensor cannot be written; make them a sequence"))
		return
	}
	e.Message(5, func() { e.object(seq) })
}
