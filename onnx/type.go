package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// ElemType is the type of a tensor's elements, with the numbers of TensorProto.DataType.
type ElemType int32

// The 28 element types of the standard. Names are Go's where Go has the type.
const (
	Undefined      ElemType = 0
	Float32        ElemType = 1
	Uint8          ElemType = 2
	Int8           ElemType = 3
	Uint16         ElemType = 4
	Int16          ElemType = 5
	Int32          ElemType = 6
	Int64          ElemType = 7
	String         ElemType = 8
	Bool           ElemType = 9
	Float16        ElemType = 10
	Float64        ElemType = 11
	Uint32         ElemType = 12
	Uint64         ElemType = 13
	Complex64      ElemType = 14
	Complex128     ElemType = 15
	BFloat16       ElemType = 16
	Float8E4M3FN   ElemType = 17
	Float8E4M3FNUZ ElemType = 18
	Float8E5M2     ElemType = 19
	Float8E5M2FNUZ ElemType = 20
	Uint4          ElemType = 21
	Int4           ElemType = 22
	Float4E2M1     ElemType = 23
	Float8E8M0     ElemType = 24
	Uint2          ElemType = 25
	Int2           ElemType = 26
	Float6E2M3     ElemType = 27
	Float6E3M2     ElemType = 28
)

// elemFacts holds, by element type, the standard's word for it (as in "tensor(float)") and the bits of one element.
var elemFacts = [...]struct {
	name string
	bits int
}{
	Undefined: {"undefined", 0}, Float32: {"float", 32}, Uint8: {"uint8", 8}, Int8: {"int8", 8}, Uint16: {"uint16", 16},
	Int16: {"int16", 16}, Int32: {"int32", 32}, Int64: {"int64", 64}, String: {"string", 0}, Bool: {"bool", 8},
	Float16: {"float16", 16}, Float64: {"double", 64}, Uint32: {"uint32", 32}, Uint64: {"uint64", 64},
	Complex64: {"complex64", 64}, Complex128: {"complex128", 128}, BFloat16: {"bfloat16", 16},
	Float8E4M3FN: {"float8e4m3fn", 8}, Float8E4M3FNUZ: {"float8e4m3fnuz", 8}, Float8E5M2: {"float8e5m2", 8},
	Float8E5M2FNUZ: {"float8e5m2fnuz", 8}, Uint4: {"uint4", 4}, Int4: {"int4", 4}, Float4E2M1: {"float4e2m1", 4},
	Float8E8M0: {"float8e8m0", 8}, Uint2: {"uint2", 2}, Int2: {"int2", 2}, Float6E2M3: {"float6e2m3", 6},
	Float6E3M2: {"float6e3m2", 6},
}

// Valid reports whether e is one of the standard's element types; Undefined is not.
func (e ElemType) Valid() bool { return e > Undefined && int(e) < len(elemFacts) }

// Bits is the size of one element in bits; 0 for strings, whose size varies, and for what is not an element type.
func (e ElemType) Bits() int {
	if !e.Valid() {
		return 0
	}
	return elemFacts[e].bits
}

// Size is the size of one element in bytes; 0 where elements are packed several to a byte, and for strings.
func (e ElemType) Size() int {
	if b := e.Bits(); b%8 == 0 {
		return b / 8
	}
	return 0
}

// Packed reports whether several elements share a byte (the 2-, 4- and 6-bit types).
func (e ElemType) Packed() bool { return e.Bits()%8 != 0 }

// IsFloat reports whether e is a type that gradients flow through: float16, bfloat16, float or double.
func (e ElemType) IsFloat() bool {
	return e == Float32 || e == Float64 || e == Float16 || e == BFloat16
}

// IsInteger reports whether e is a signed or unsigned integer of 8 to 64 bits.
func (e ElemType) IsInteger() bool { return e.IsSigned() || e.IsUnsigned() }

// IsSigned reports whether e is a signed integer of 8 to 64 bits.
func (e ElemType) IsSigned() bool { return e == Int8 || e == Int16 || e == Int32 || e == Int64 }

// IsUnsigned reports whether e is an unsigned integer of 8 to 64 bits.
func (e ElemType) IsUnsigned() bool { return e == Uint8 || e == Uint16 || e == Uint32 || e == Uint64 }

// String is the standard's word: "float", "double", "int64".
func (e ElemType) String() string {
	if e < 0 || int(e) >= len(elemFacts) {
		return fmt.Sprintf("elemtype(%d)", int32(e))
	}
	return elemFacts[e].name
}

// ParseElemType is the inverse of String.
func ParseElemType(s string) (ElemType, bool) {
	for e := Float32; int(e) < len(elemFacts); e++ {
		if elemFacts[e].name == s {
			return e, true
		}
	}
	return Undefined, false
}

// Dim is one entry of a shape: fixed (N is the size), named (Name is not empty) or unknown. The zero Dim is the size 0.
type Dim struct {
	N    int64  // size; unknown when negative
	Name string // dim_param; equal names are equal sizes in the whole model
}

// Unknown is a dim of which nothing is known.
var Unknown = Dim{N: math.MinInt64}

// Fixed is the dim of size n.
func Fixed(n int) Dim { return Dim{N: int64(n)} }

// Named is the dim called name.
func Named(name string) Dim { return Dim{N: math.MinInt64, Name: name} }

// IsFixed reports whether the size is known.
func (d Dim) IsFixed() bool { return d.Name == "" && d.N >= 0 }

// Same reports whether both dims are known to be equal: the same size or the same name.
func (d Dim) Same(o Dim) bool { return d == o && (d.Name != "" || d.N >= 0) }

// String is the size, the name, or "?".
func (d Dim) String() string {
	switch {
	case d.Name != "":
		return d.Name
	case d.N < 0:
		return "?"
	}
	return fmt.Sprint(d.N)
}

// Kind tells the kinds of value apart.
type Kind uint8

// Kinds of value. The zero Kind is unknown.
const (
	KindUnknown Kind = iota
	KindTensor
	KindSparseTensor
	KindSequence
	KindMap
	KindOptional
	KindOpaque
)

// Type is what is known of a value: its kind, element type and shape. The zero Type knows nothing.
type Type struct {
	Kind   Kind
	Elem   ElemType // tensors and sparse tensors; Undefined when unknown
	Ranked bool     // whether Shape is known; false where not even the rank is
	Shape  []Dim
	Key    ElemType // maps: an integer type or String
	Of     *Type    // element of a sequence or optional, value of a map
}

// TensorOf makes a ranked tensor type.
func TensorOf(e ElemType, dims ...Dim) Type {
	return Type{Kind: KindTensor, Elem: e, Ranked: true, Shape: slices.Clone(dims)}
}

// Unranked makes a tensor type of unknown rank.
func Unranked(e ElemType) Type { return Type{Kind: KindTensor, Elem: e} }

// SequenceOf makes the type of a sequence of t.
func SequenceOf(t Type) Type { return Type{Kind: KindSequence, Of: &t} }

// OptionalOf makes the type of an optional t.
func OptionalOf(t Type) Type { return Type{Kind: KindOptional, Of: &t} }

// MapOf makes the type of a map from key to t.
func MapOf(key ElemType, t Type) Type { return Type{Kind: KindMap, Key: key, Of: &t} }

// IsTensor reports whether t is a tensor.
func (t Type) IsTensor() bool { return t.Kind == KindTensor }

// Rank is the number of dims; -1 when unknown.
func (t Type) Rank() int {
	if !t.Ranked {
		return -1
	}
	return len(t.Shape)
}

// IsFixed reports whether t is a tensor with every size known.
func (t Type) IsFixed() bool {
	for _, d := range t.Shape {
		if !d.IsFixed() {
			return false
		}
	}
	return t.Ranked && t.Elem != Undefined
}

// Equal reports whether both types say the same.
func (t Type) Equal(o Type) bool {
	if t.Kind != o.Kind || t.Elem != o.Elem || t.Ranked != o.Ranked || t.Key != o.Key || !slices.Equal(t.Shape, o.Shape) {
		return false
	}
	if t.Of == nil || o.Of == nil {
		return t.Of == o.Of
	}
	return t.Of.Equal(*o.Of)
}

// Clone copies t so that no part is shared.
func (t Type) Clone() Type {
	t.Shape = slices.Clone(t.Shape)
	if t.Of != nil {
		of := t.Of.Clone()
		t.Of = &of
	}
	return t
}

// TypeString is the standard's word without the shape: "tensor(float)", "seq(tensor(int64))".
func (t Type) TypeString() string {
	switch t.Kind {
	case KindTensor:
		return "tensor(" + t.Elem.String() + ")"
	case KindSparseTensor:
		return "sparse_tensor(" + t.Elem.String() + ")"
	case KindSequence:
		return "seq(" + t.Of.TypeString() + ")"
	case KindOptional:
		return "optional(" + t.Of.TypeString() + ")"
	case KindMap:
		return "map(" + t.Key.String() + "," + t.Of.TypeString() + ")"
	case KindOpaque:
		return "opaque"
	}
	return "unknown"
}

// String is the text form: "float[N,3]", "seq(float[2])", "?" when nothing is known.
func (t Type) String() string {
	switch t.Kind {
	case KindTensor, KindSparseTensor:
		s := t.Elem.String() + t.shapeString()
		if t.Kind == KindSparseTensor {
			s = "sparse_tensor(" + s + ")"
		}
		return s
	case KindSequence:
		return "seq(" + t.Of.String() + ")"
	case KindOptional:
		return "optional(" + t.Of.String() + ")"
	case KindMap:
		return "map(" + t.Key.String() + "," + t.Of.String() + ")"
	case KindOpaque:
		return "opaque"
	}
	return "?"
}

func (t Type) shapeString() string {
	if !t.Ranked {
		return ""
	}
	s := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		s[i] = d.String()
	}
	return "[" + strings.Join(s, ",") + "]"
}
