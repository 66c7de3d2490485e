package onnx

import (
	"fmt"
	"slices"
	"unsafe"
)

// Entry is one key and value of metadata_props.
type Entry struct{ Key, Value string }

// Tensor is an element type, a shape and the elements: little-endian bytes, with 2-, 4- and 6-bit types packed low bits
// first, or strings. The zero Tensor has no type and no elements.
//
// A Tensor is not copied by the runtime when it is an input; do not write to it during a Run.
type Tensor struct {
	Elem  ElemType
	Shape []int

	Name     string // in a model's initializers
	Doc      string
	Metadata []Entry
	External *External // where the bytes are while they have not been read; nil otherwise

	data    []byte
	source  *source // has the bytes, and data is nil; nil as a rule
	strings []string
	shared  bool // data belongs to somebody else: copied before the first write
	form    form
}

// External says where in which file the bytes of a tensor are (external data of the standard).
type External struct {
	Location string // relative path, with slashes
	Offset   int64  // bytes
	Length   int64  // bytes; -1: to the end of the file
	Checksum string // SHA-1 in hex, "" when none
	entries  []Entry
}

// form is how a tensor stood in the file it came from, so that it is written back alike.
type form struct {
	typed    bool    // in float_data, int32_data ... instead of raw_data
	odd      []byte  // the field's bytes where other bytes could say the same elements
	external bool    // the bytes were read from an external file
	entries  []Entry // external_data, also where it means nothing
	present  present
	unknown  []byte
	segment  []byte
}

// F16, BF16 and the F8 types are the bit patterns of the floating-point types that Go lacks.
type (
	F16        uint16
	BF16       uint16
	F8E4M3FN   uint8
	F8E4M3FNUZ uint8
	F8E5M2     uint8
	F8E5M2FNUZ uint8
	F8E8M0     uint8
)

// Number is a Go type that holds one element of a tensor that is not packed.
type Number interface {
	bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64 | complex64 | complex128 |
		F16 | BF16 | F8E4M3FN | F8E4M3FNUZ | F8E5M2 | F8E5M2FNUZ | F8E8M0
}

// ElemOf is the element type that T holds.
func ElemOf[T Number]() ElemType {
	var z T
	switch any(z).(type) {
	case bool:
		return Bool
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case float32:
		return Float32
	case float64:
		return Float64
	case complex64:
		return Complex64
	case complex128:
		return Complex128
	case F16:
		return Float16
	case BF16:
		return BFloat16
	case F8E4M3FN:
		return Float8E4M3FN
	case F8E4M3FNUZ:
		return Float8E4M3FNUZ
	case F8E5M2:
		return Float8E5M2
	case F8E5M2FNUZ:
		return Float8E5M2FNUZ
	}
	return Float8E8M0
}

// NewTensor makes a tensor of the given shape from a copy of data. It is an error if the number of elements differs.
func NewTensor[T Number](data []T, shape ...int) (*Tensor, error) {
	n, ok := NumElements(shape)
	if !ok || n != len(data) {
		return nil, Invalidf("onnx: shape %v: expected %d elements, received %d", shape, n, len(data))
	}
	t, err := Zeros(ElemOf[T](), shape...)
	if err != nil {
		return nil, err
	}
	copy(View[T](t.data), data)
	return t, nil
}

// Scalar makes a tensor of rank 0.
func Scalar[T Number](v T) *Tensor {
	t := &Tensor{Elem: ElemOf[T](), data: Bytes(int(unsafe.Sizeof(v)))}
	View[T](t.data)[0] = v
	return t
}

// Vector makes a tensor of rank 1.
func Vector[T Number](v ...T) *Tensor {
	var z T
	t := &Tensor{Elem: ElemOf[T](), Shape: []int{len(v)}, data: Bytes(len(v) * int(unsafe.Sizeof(z)))}
	copy(View[T](t.data), v)
	return t
}

// Strings makes a tensor of strings. It is an error if the number of elements differs.
func Strings(data []string, shape ...int) (*Tensor, error) {
	if n, ok := NumElements(shape); !ok || n != len(data) {
		return nil, Invalidf("onnx: shape %v: expected %d elements, received %d", shape, n, len(data))
	}
	return &Tensor{Elem: String, Shape: slices.Clone(shape), strings: slices.Clone(data)}, nil
}

// Zeros makes a tensor of zeros (of empty strings). It is an error if the size does not fit an int.
func Zeros(e ElemType, shape ...int) (*Tensor, error) {
	n, ok := NumElements(shape)
	if !ok || !e.Valid() {
		return nil, Invalidf("onnx: no tensor of type %v and shape %v", e, shape)
	}
	t := &Tensor{Elem: e, Shape: slices.Clone(shape)}
	if e == String {
		t.strings = make([]string, n)
		return t, nil
	}
	bytes, ok := e.NumBytes(n)
	if !ok {
		return nil, Invalidf("onnx: a tensor of type %v and shape %v is too large", e, shape)
	}
	t.data = Bytes(bytes)
	return t, nil
}

// Borrow makes a tensor over data, which stays the caller's: it must not change while the tensor is in use, and the tensor
// never writes to it (Mutable copies first). It is an error if the length of data does not fit type and shape.
func Borrow(e ElemType, shape []int, data []byte) (*Tensor, error) {
	n, ok := NumElements(shape)
	bytes, ok2 := e.NumBytes(n)
	if !ok || !ok2 || !e.Valid() || e == String || bytes != len(data) {
		return nil, Invalidf("onnx: %v of shape %v: expected %d bytes, received %d", e, shape, bytes, len(data))
	}
	return &Tensor{Elem: e, Shape: shape, data: data, shared: true}, nil
}

// Len is the number of elements.
func (t *Tensor) Len() int {
	n, _ := NumElements(t.Shape)
	return n
}

// Bytes is the elements as bytes, for reading; nil for strings, and if they have to be read and cannot (Load says why).
func (t *Tensor) Bytes() []byte {
	if t.source == nil {
		return t.data
	}
	b, _ := t.source.hold()
	return b
}

// ByteLen is the length of Bytes, without reading them.
func (t *Tensor) ByteLen() int {
	if t.source == nil {
		return len(t.data)
	}
	return t.source.n
}

// Mutable is the elements as bytes, for writing; a tensor over borrowed bytes copies them first.
func (t *Tensor) Mutable() []byte {
	if t.shared || t.source != nil {
		d := Bytes(t.ByteLen())
		copy(d, t.Bytes())
		t.data, t.shared, t.source = d, false, nil
	}
	return t.data
}

// StringData is the elements of a tensor of strings; nil for other types.
func (t *Tensor) StringData() []string { return t.strings }

// Type is the type of t, every size fixed.
func (t *Tensor) Type() Type {
	ty := Type{Kind: KindTensor, Elem: t.Elem, Ranked: true, Shape: make([]Dim, len(t.Shape))}
	for i, d := range t.Shape {
		ty.Shape[i] = Fixed(d)
	}
	return ty
}

// Clone copies t, elements included.
func (t *Tensor) Clone() *Tensor {
	c := *t
	c.Shape, c.strings = slices.Clone(t.Shape), slices.Clone(t.strings)
	c.data, c.shared, c.source = Bytes(t.ByteLen()), false, nil
	copy(c.data, t.Bytes())
	return &c
}

// String describes t: type, shape and the first elements.
func (t *Tensor) String() string { return fmt.Sprintf("%v", t.Type()) }

// Data is a read-only typed view of t's elements: zero-copy unless the bytes are misaligned, then a copy. It is nil if T
// does not hold t's element type.
func Data[T Number](t *Tensor) []T {
	if t == nil || t.Elem != ElemOf[T]() {
		return nil
	}
	var z T
	b := t.Bytes()
	if len(b) > 0 && uintptr(unsafe.Pointer(&b[0]))%unsafe.Alignof(z) != 0 {
		d := Bytes(len(b))
		copy(d, b)
		return View[T](d)
	}
	return View[T](b)
}

// Bytes makes n zero bytes that start at a multiple of 64, so that any element type and any vector load is aligned.
func Bytes(n int) []byte {
	if n <= 0 {
		return nil
	}
	b := make([]byte, n+63)
	o := int(-uintptr(unsafe.Pointer(&b[0])) & 63)
	return b[o : o+n : o+n]
}

// View is b seen as a slice of T, in the machine's (little-endian) order. b must be aligned for T.
func View[T Number](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	var z T
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(z)))
}

// BytesOf is s seen as bytes.
func BytesOf[T Number](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

// WithData is a copy of t (name, documentation, how it is written) with the elements of d, which it shares.
func (t *Tensor) WithData(d *Tensor) *Tensor {
	c := *t
	c.Elem, c.Shape, c.data, c.strings, c.shared = d.Elem, slices.Clone(d.Shape), d.data, d.strings, true
	c.External, c.source = nil, d.source
	return &c
}
