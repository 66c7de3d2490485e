package wire

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// descriptor makes, without any registration, a message with a field of every type that ONNX uses.
func descriptor(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	field := func(name string, num int32, typ descriptorpb.FieldDescriptorProto_Type, repeated, packed bool) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &num, Type: &typ}
		label := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		if repeated {
			label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
			f.Options = &descriptorpb.FieldOptions{Packed: &packed}
		}
		f.Label = &label
		if typ == descriptorpb.FieldDescriptorProto_TYPE_MESSAGE {
			f.TypeName = new(".M")
			f.Options = nil
		}
		return f
	}
	d, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("m.proto"), Syntax: new("proto2"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: new("M"), Field: []*descriptorpb.FieldDescriptorProto{
			field("i", 1, descriptorpb.FieldDescriptorProto_TYPE_INT64, false, false),
			field("f", 2, descriptorpb.FieldDescriptorProto_TYPE_FLOAT, false, false),
			field("s", 3, descriptorpb.FieldDescriptorProto_TYPE_STRING, false, false),
			field("m", 4, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, true, false),
			field("p", 5, descriptorpb.FieldDescriptorProto_TYPE_INT32, true, true),
			field("u", 6, descriptorpb.FieldDescriptorProto_TYPE_INT64, true, false),
			field("d", 7, descriptorpb.FieldDescriptorProto_TYPE_DOUBLE, true, true),
			field("b", 20, descriptorpb.FieldDescriptorProto_TYPE_BYTES, false, false),
		}}},
	}, nil)
	require.NoError(t, err)
	return d.Messages().Get(0)
}

// What the Writer writes, Google's implementation reads, and the other way round.
func TestAgainstDynamicpb(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 3*refer)
	w := Writer{}
	w.Varint(1, -5)
	w.Float32(2, 1.5)
	w.Str(3, "text")
	w.Message(4, func() {
		w.Message(4, func() { w.Bytes(20, large) })
		w.Message(4, func() { w.Str(3, "after") })
		w.Bytes(20, large)
	})
	numbers := []int64{1, -1, 300}
	w.Packed(5, 3, func(i int) uint64 { return uint64(numbers[i]) })
	w.Varint(6, 7)
	w.Varint(6, 8)
	w.Raw([]byte{7<<3 | 2, 8, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f})
	b := w.AppendTo(nil)
	require.EqualValues(t, len(b), w.Size())
	var out bytes.Buffer
	n, err := w.WriteTo(&out)
	require.NoError(t, err)
	require.EqualValues(t, len(b), n)
	require.Equal(t, b, out.Bytes())

	m := dynamicpb.NewMessage(descriptor(t))
	require.NoError(t, proto.Unmarshal(b, m))
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	require.NoError(t, err)
	require.Equal(t, b, again)

	r := NewReader(again, 0)
	var got []any
	for r.Next() {
		switch r.Num {
		case 1:
			got = append(got, r.Int64())
		case 2:
			got = append(got, r.Float32())
		case 3:
			got = append(got, r.Str())
		case 4:
			s := r.Message()
			for s.Next() {
			}
			got = append(got, s.Err(), s.Len())
		case 5, 6:
			got = append(got, r.CountVarints())
			r.EachVarint(func(v uint64) { got = append(got, int64(v)) })
		case 7:
			got = append(got, len(r.Fixed(8)))
		}
	}
	require.NoError(t, r.Err())
	inner := 2*len(large) + 20
	require.Equal(t, []any{int64(-5), float32(1.5), "text", nil, inner, 3, int64(1), int64(-1), int64(300), 1, int64(7), 1, int64(8), 8}, got)
}

func TestReader_refuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"tag":              {0x80},
		"field 0":          {0x00, 0},
		"reserved type":    {0x0e},
		"group":            {0x0b, 0x08, 1, 0x0c},
		"end of group":     {0x0c},
		"varint":           {0x08, 0xff},
		"long varint":      append([]byte{0x08}, bytes.Repeat([]byte{0xff}, 11)...),
		"fixed32":          {0x0d, 0, 0, 0},
		"fixed64":          {0x09, 0, 0, 0, 0, 0, 0, 0},
		"length":           {0x0a, 0x80},
		"length past end":  {0x0a, 2, 0},
		"length of 2^63":   {0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0},
		"length of 2^64-1": {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(b, 0)
			for r.Next() {
			}
			var e *Error
			require.ErrorAs(t, r.Err(), &e)
			require.Zero(t, e.Offset)
		})
	}
}

func TestReader_wrongType(t *testing.T) {
	r := NewReader([]byte{0x08, 1}, 0)
	require.True(t, r.Next())
	require.Nil(t, r.Bytes())
	require.Error(t, r.Err())
	require.False(t, r.Next())
}

func TestReader_depth(t *testing.T) {
	for _, c := range []struct {
		nested int
		ok     bool
	}{{199, true}, {200, false}} {
		w := Writer{}
		do := func() {}
		for range c.nested {
			inner := do
			do = func() { w.Message(1, inner) }
		}
		do()
		r := NewReader(w.AppendTo(nil), 0)
		for r.Next() {
			r = r.Message()
		}
		require.Equal(t, c.ok, r.Err() == nil, "%d levels: %v", c.nested, r.Err())
	}
}

func TestReader_values(t *testing.T) {
	var b []byte
	b = protowire.AppendTag(b, 1, protowire.VarintType)
	b = append(b, 0x81, 0x80, 0x00) // 1, longer than it need be
	b = protowire.AppendTag(b, 2, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, math.Float32bits(2))
	r := NewReader(b, 0)
	require.True(t, r.Next())
	v, ok := r.VarintBytes()
	require.True(t, ok)
	require.Equal(t, []byte{0x81, 0x80, 0x00}, v)
	require.True(t, r.Next())
	require.Equal(t, b[4:], r.Raw())
	require.Equal(t, []byte{0, 0, 0, 0x40}, r.Fixed(4))
}
