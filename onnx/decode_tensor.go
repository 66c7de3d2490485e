package onnx

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/gneiss-ml/gneiss/internal/wire"
)

func float32frombytes(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }

// typedField is the field of a TensorProto that holds elements of type e when raw_data does not.
func typedField(e ElemType) int {
	switch e {
	case Float32, Complex64:
		return 4
	case String:
		return 6
	case Int64:
		return 7
	case Float64, Complex128:
		return 10
	case Uint32, Uint64:
		return 11
	}
	return 5
}

// stored is the elements of a tensor as they stand in the file, while its type and shape are not known yet.
type stored struct {
	raw     []byte
	typed   []byte // contents of field, as if it stood in one packed piece
	field   int
	strings []string
	outside bool // data_location says EXTERNAL
}

// tensor reads a TensorProto. raw_data, float_data and double_data are referred to, other fields are decoded and charged.
func (d *decoder) tensor(r *wire.Reader) (*Tensor, error) {
	if err := d.charge(sizeOf[Tensor]()); err != nil {
		return nil, err
	}
	t := &Tensor{form: form{present: fromFile}}
	var s stored
	var dims []int64
	for r.Next() {
		if err := d.tensorField(t, &s, &dims, r); err != nil {
			return nil, err
		}
		t.form.present.see(r)
	}
	if err := finish(r); err != nil {
		return nil, err
	}
	n, err := t.setDims(dims)
	if err == nil {
		err = d.elements(t, &s, n)
	}
	if err != nil {
		return nil, within("tensor "+quoted(t.Name), -1, err)
	}
	return t, nil
}

func quoted(name string) string {
	if len(name) > 128 {
		name = name[:128]
	}
	return strconv.Quote(name)
}

func (d *decoder) tensorField(t *Tensor, s *stored, dims *[]int64, r *wire.Reader) (err error) {
	switch r.Num {
	case 1:
		if err := d.charge(16 * int64(r.CountVarints())); err != nil {
			return err
		}
		r.EachVarint(func(v uint64) { *dims = append(*dims, int64(v)) })
	case 2:
		t.Elem, err = elem(r.Int32())
	case 3:
		t.form.segment = r.Bytes()
	case 4:
		return d.collect(s, r, r.Fixed(4))
	case 5, 7, 11:
		return d.collect(s, r, varints(r))
	case 6:
		s.strings = append(s.strings, d.str(r))
		return d.charge(16)
	case 8:
		t.Name = d.str(r)
	case 9:
		s.raw = r.Bytes()
	case 10:
		return d.collect(s, r, r.Fixed(8))
	case 12:
		t.Doc = d.str(r)
	case 13:
		return within("external_data", len(t.form.entries), d.entries(&t.form.entries, r))
	case 14:
		s.outside = r.Int32() == 1
	case 16:
		return within("metadata_props", len(t.Metadata), d.entries(&t.Metadata, r))
	default:
		d.keep(&t.form.unknown, r)
	}
	return err
}

// varints is the contents of a repeated field of varints, packed or a single one.
func varints(r *wire.Reader) []byte {
	if b, ok := r.VarintBytes(); ok {
		return b
	}
	return r.Bytes()
}

// collect appends a piece of a repeated field. The first piece, which is nearly always the only one, is not copied.
func (d *decoder) collect(s *stored, r *wire.Reader, piece []byte) error {
	if len(piece) == 0 {
		return nil
	}
	switch {
	case s.field == 0:
		s.field, s.typed = int(r.Num), piece[:len(piece):len(piece)]
		return nil
	case s.field != int(r.Num):
		return Invalidf("elements stand in field %d and in field %d", s.field, r.Num)
	}
	if err := d.charge(2 * int64(len(piece))); err != nil {
		return err
	}
	s.typed = append(s.typed, piece...)
	return nil
}

// setDims checks and sets the shape; n is the number of elements.
func (t *Tensor) setDims(dims []int64) (n int, err error) {
	if len(dims) > 0 {
		t.Shape = make([]int, len(dims))
	}
	for i, d := range dims {
		if d < 0 || d > math.MaxInt {
			return 0, Invalidf("dims: expected sizes from 0 on, received %v", dims)
		}
		t.Shape[i] = int(d)
	}
	n, ok := NumElements(t.Shape)
	if !ok {
		return 0, Invalidf("dims: the product of %v does not fit", dims)
	}
	return n, nil
}

// elements checks that the elements are stored exactly once, in a field of t's type, and as many as the shape says.
func (d *decoder) elements(t *Tensor, s *stored, n int) error {
	if t.Elem == Undefined {
		return Invalidf("data_type is missing")
	}
	if s.outside {
		return t.setExternal(s)
	}
	size, ok := t.Elem.NumBytes(n)
	if !ok {
		return Invalidf("%v of shape %v is too large", t.Elem, t.Shape)
	}
	if len(s.strings) > 0 && s.field == 0 {
		s.field = 6
	}
	if s.field != 0 && (len(s.raw) > 0 || s.field != typedField(t.Elem) || s.field != 6 && len(s.strings) > 0) {
		return Invalidf("elements of type %v do not stand in one field of that type alone", t.Elem)
	}
	switch {
	case t.Elem == String:
		return t.setStrings(s, n)
	case s.field == 0:
		if lazy, err := d.setLazy(t, s.raw, size); lazy {
			return err
		}
		return t.setRaw(s.raw, size)
	case s.field == 4 || s.field == 10:
		t.form.typed = true
		return t.setRaw(s.typed, size)
	}
	return d.unpack(t, s.typed, n, size)
}

func (t *Tensor) setStrings(s *stored, n int) error {
	if len(s.raw) > 0 {
		return Invalidf("strings do not stand in raw_data")
	}
	if len(s.strings) != n {
		return Invalidf("string of shape %v: expected %d elements, received %d", t.Shape, n, len(s.strings))
	}
	t.strings = s.strings
	if t.strings == nil {
		t.strings = []string{}
	}
	return nil
}

func (t *Tensor) setRaw(b []byte, size int) error {
	if len(b) != size {
		return Invalidf("%v of shape %v: expected %d bytes, received %d", t.Elem, t.Shape, size, len(b))
	}
	t.data, t.shared = b, true
	if t.Elem == Bool {
		t.normalise()
	}
	return nil
}

// normalise makes every true 1: Go takes no other byte for a bool.
func (t *Tensor) normalise() {
	for _, b := range t.data {
		if b > 1 {
			t.form.odd = t.data
			t.data, t.shared = truths(t.data), false
			return
		}
	}
}

func truths(b []byte) []byte {
	d := Bytes(len(b))
	for i, x := range b {
		if x != 0 {
			d[i] = 1
		}
	}
	return d
}

// unpack decodes a field of varints.
func (d *decoder) unpack(t *Tensor, b []byte, n, size int) error {
	if t.Elem.Packed() && t.Elem.Bits() != 6 {
		n = size // an entry is a whole byte of several elements
	}
	if have := countVarints(b); have != n {
		return Invalidf("%v of shape %v: expected %d entries, received %d", t.Elem, t.Shape, n, have)
	}
	if err := d.charge(int64(size)); err != nil {
		return err
	}
	t.form.typed = true
	data, canonical, ok := t.Elem.fromVarints(b, size)
	if !ok {
		return Invalidf("an entry is not a number of 64 bits")
	}
	if t.data = data; !canonical {
		t.form.odd = b
	}
	return nil
}

func countVarints(b []byte) (n int) {
	for _, c := range b {
		if c < 0x80 {
			n++
		}
	}
	return n
}

// fromVarints decodes elements of type e; canonical says that varint would give the same entries again. ok is false where an
// entry is longer than 64 bits.
func (e ElemType) fromVarints(b []byte, size int) (data []byte, canonical, ok bool) {
	data, canonical = Bytes(size), true
	for i := 0; len(b) > 0; i++ {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, false, false
		}
		b = b[n:]
		e.put(data, i, v)
		canonical = canonical && e.varint(data, i) == v && n == sizeVarint(v)
	}
	return data, canonical, true
}

func sizeVarint(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// put stores entry i, keeping the low bits of v.
func (e ElemType) put(data []byte, i int, v uint64) {
	switch {
	case e.Bits() == 6:
		putBits6(data, i, byte(v))
	case e == Bool:
		data[i] = 0
		if v != 0 {
			data[i] = 1
		}
	case e.Size() == 2:
		binary.LittleEndian.PutUint16(data[2*i:], uint16(v))
	case e.Size() == 4:
		binary.LittleEndian.PutUint32(data[4*i:], uint32(v))
	case e.Size() == 8:
		binary.LittleEndian.PutUint64(data[8*i:], v)
	default:
		data[i] = byte(v)
	}
}

// varint is entry i as a field of varints holds it: negative numbers extended to 64 bits.
func (e ElemType) varint(data []byte, i int) uint64 {
	switch {
	case e.Bits() == 6:
		return uint64(bits6(data, i))
	case e == Int8:
		return uint64(int64(int8(data[i])))
	case e == Int16:
		return uint64(int64(int16(binary.LittleEndian.Uint16(data[2*i:]))))
	case e == Int32:
		return uint64(int64(int32(binary.LittleEndian.Uint32(data[4*i:]))))
	case e.Size() == 2:
		return uint64(binary.LittleEndian.Uint16(data[2*i:]))
	case e.Size() == 4:
		return uint64(binary.LittleEndian.Uint32(data[4*i:]))
	case e.Size() == 8:
		return binary.LittleEndian.Uint64(data[8*i:])
	}
	return uint64(data[i])
}

// putBits6 stores element i of a stream of 6-bit elements, lowest bits first, where zeros are.
func putBits6(data []byte, i int, v byte) {
	v &= 63
	at, shift := i*6/8, i*6%8
	data[at] |= v << shift
	if shift > 2 {
		data[at+1] |= v >> (8 - shift)
	}
}

func bits6(data []byte, i int) byte {
	at, shift := i*6/8, i*6%8
	v := data[at] >> shift
	if shift > 2 {
		v |= data[at+1] << (8 - shift)
	}
	return v & 63
}

// sparseTensor reads a SparseTensorProto.
func (d *decoder) sparseTensor(r *wire.Reader) (*SparseTensor, error) {
	if err := d.charge(sizeOf[SparseTensor]()); err != nil {
		return nil, err
	}
	s := &SparseTensor{}
	var dims []int64
	for r.Next() {
		var err error
		switch r.Num {
		case 1:
			s.Values, err = d.tensor(r.Message())
			err = within("values", -1, err)
		case 2:
			s.Indices, err = d.tensor(r.Message())
			err = within("indices", -1, err)
		case 3:
			if err = d.charge(16 * int64(r.CountVarints())); err == nil {
				r.EachVarint(func(v uint64) { dims = append(dims, int64(v)) })
			}
		default:
			d.keep(&s.unknown, r)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := finish(r); err != nil {
		return nil, err
	}
	return s, s.settle(dims)
}

func (s *SparseTensor) settle(dims []int64) error {
	if s.Values == nil || s.Indices == nil {
		return Invalidf("a sparse tensor needs values and indices")
	}
	if s.Indices.Elem != Int64 {
		return Invalidf("indices: expected int64, received %v", s.Indices.Elem)
	}
	dense := Tensor{}
	_, err := dense.setDims(dims)
	s.Dims = dense.Shape
	return err
}
