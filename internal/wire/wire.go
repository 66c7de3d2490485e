// Package wire reads and writes protobuf messages as bytes, over protowire: field by field, without generated code.
//
// A Reader counts its own depth, refuses groups (no field of ONNX was ever one), checks every length against what is left
// and copies nothing unless told to: bytes alias the message. A Writer refers to large byte strings instead of copying them.
package wire

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// MaxDepth is how deep messages may nest unless a Reader says otherwise: 32 nested subgraphs with typed outputs need about
// 102.
const MaxDepth = 200

// Error says what is wrong at which byte of a message.
type Error struct {
	Offset int // from the start of the outermost message, in bytes
	Text   string
}

// Error gives the offset and the text.
func (e *Error) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Text) }

// Reader goes through the fields of one message.
type Reader struct {
	// Num is the number of the field at hand.
	Num protowire.Number
	// Own is applied to bytes that the caller may keep, to copy them; nil: they alias the message. Messages inside inherit it.
	Own func([]byte) []byte

	msg   []byte
	base  int // offset of msg in the outermost message
	pos   int // next field
	field int // start of the field at hand, its tag included
	body  int // start of its value
	typ   protowire.Type
	val   uint64 // of varint, fixed32 and fixed64 fields
	bytes []byte // of length-delimited fields
	depth int    // messages that may still be entered
	err   error
}

// NewReader makes a Reader of msg in which messages may nest depth deep; 0 means MaxDepth.
func NewReader(msg []byte, depth int) *Reader {
	if depth == 0 {
		depth = MaxDepth
	}
	return &Reader{msg: msg, depth: depth}
}

// Err is the first error.
func (r *Reader) Err() error { return r.err }

// Left is how much deeper messages may nest.
func (r *Reader) Left() int { return r.depth }

// Len is the length of the whole message in bytes.
func (r *Reader) Len() int { return len(r.msg) }

// Offset is where the field at hand starts in the outermost message.
func (r *Reader) Offset() int { return r.base + r.field }

// Fail records an error at the field at hand, unless there is one already.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = &Error{r.Offset(), fmt.Sprintf(format, args...)}
	}
}

// Stop records an error that is not of this package, unless there is one already.
func (r *Reader) Stop(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Next goes to the next field; false at the end and after an error.
func (r *Reader) Next() bool {
	if r.err != nil || r.pos >= len(r.msg) {
		return false
	}
	r.field = r.pos
	num, typ, n := protowire.ConsumeTag(r.msg[r.pos:])
	if n < 0 {
		r.Fail("field tag is malformed")
		return false
	}
	r.Num, r.typ, r.pos, r.body = num, typ, r.pos+n, r.pos+n
	return r.value(r.msg[r.pos:])
}

func (r *Reader) value(b []byte) bool {
	n := 0
	switch r.typ {
	case protowire.VarintType:
		r.val, n = protowire.ConsumeVarint(b)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(b)
		r.val = uint64(v)
	case protowire.Fixed64Type:
		r.val, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		return r.delimited(b)
	default:
		r.Fail("field %d is a group, which ONNX does not have", r.Num)
		return false
	}
	if n < 0 {
		r.Fail("field %d is cut short", r.Num)
		return false
	}
	r.pos += n
	return true
}

// delimited checks the length against the rest before slicing.
func (r *Reader) delimited(b []byte) bool {
	size, n := protowire.ConsumeVarint(b)
	if n < 0 {
		r.Fail("field %d: length is malformed", r.Num)
		return false
	}
	if rest := uint64(len(b) - n); size > rest {
		r.Fail("field %d: expected %d bytes, received %d", r.Num, size, rest)
		return false
	}
	end := n + int(size)
	r.bytes = b[n:end:end]
	r.pos += end
	return true
}

func (r *Reader) want(t protowire.Type) bool {
	if r.err == nil && r.typ != t {
		r.Fail("field %d: expected wire type %d, received %d", r.Num, t, r.typ)
	}
	return r.err == nil
}

// Int64 is the field at hand as an int64 or uint64 varint.
func (r *Reader) Int64() int64 {
	if !r.want(protowire.VarintType) {
		return 0
	}
	return int64(r.val)
}

// Int32 is the field at hand as an int32 or enum varint; the low 32 bits count, as in every protobuf library.
func (r *Reader) Int32() int32 { return int32(r.Int64()) }

// Float32 is the field at hand as a float.
func (r *Reader) Float32() float32 {
	if !r.want(protowire.Fixed32Type) {
		return 0
	}
	return math.Float32frombits(uint32(r.val))
}

// Bytes is the field at hand as bytes, which alias the message unless Own copies them.
func (r *Reader) Bytes() []byte { return r.own(r.inside()) }

// inside is the field at hand as bytes, which alias the message.
func (r *Reader) inside() []byte {
	if !r.want(protowire.BytesType) {
		return nil
	}
	return r.bytes
}

func (r *Reader) own(b []byte) []byte {
	if r.Own == nil || len(b) == 0 {
		return b
	}
	return r.Own(b)
}

// Str is a copy of the field at hand as a string.
func (r *Reader) Str() string { return string(r.inside()) }

// Message is a Reader of the field at hand. It has an error from the start when messages nest too deep.
func (r *Reader) Message() *Reader {
	m := &Reader{Own: r.Own, msg: r.inside(), base: r.base + r.pos - len(r.bytes), depth: r.depth - 1, err: r.err}
	if m.depth <= 0 {
		m.Fail("messages nest too deep")
	}
	return m
}

// Raw is the field at hand with its tag; it aliases the message.
func (r *Reader) Raw() []byte { return r.msg[r.field:r.pos:r.pos] }

// EachVarint calls do for the elements of a repeated varint field, packed or not.
func (r *Reader) EachVarint(do func(uint64)) {
	if r.typ == protowire.VarintType {
		do(r.val)
		return
	}
	for b := r.inside(); len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			r.Fail("field %d: element is malformed", r.Num)
			return
		}
		do(v)
		b = b[n:]
	}
}

// Fixed is the bytes of the elements of a repeated fixed32 (size 4) or fixed64 (size 8) field, packed or not, in
// little-endian order. They alias the message unless Own copies them.
func (r *Reader) Fixed(size int) []byte {
	typ := protowire.Fixed32Type
	if size == 8 {
		typ = protowire.Fixed64Type
	}
	if r.typ == typ {
		return r.own(r.msg[r.pos-size : r.pos : r.pos])
	}
	b := r.Bytes()
	if len(b)%size != 0 {
		r.Fail("field %d: %d bytes are not a whole number of elements of %d", r.Num, len(b), size)
		return nil
	}
	return b
}

// CountVarints is the number of elements of the field at hand if it is a repeated varint field.
func (r *Reader) CountVarints() int {
	if r.typ == protowire.VarintType {
		return 1
	}
	n := 0
	for _, c := range r.inside() {
		if c < 0x80 {
			n++
		}
	}
	return n
}

// VarintBytes is the encoding of the field at hand without its tag; ok is false if the field is not a single varint.
func (r *Reader) VarintBytes() (b []byte, ok bool) {
	if r.typ != protowire.VarintType {
		return nil, false
	}
	return r.msg[r.body:r.pos:r.pos], true
}

// All is the whole message.
func (r *Reader) All() []byte { return r.own(r.msg) }
