package reltest

import (
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is a field of a message, taken apart as far as its bytes look like messages.
type field struct {
	num    protowire.Number
	typ    protowire.Type
	n      uint64 // numbers
	bytes  []byte
	nested []*field // not nil: instead of bytes
}

// takeApart reads the fields of a message; ok is false when b is none.
func takeApart(b []byte, depth int) (fields []*field, ok bool) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num > 100 {
			return nil, false
		}
		b = b[n:]
		f := &field{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			f.n, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.n = uint64(v)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
			if n >= 0 && len(f.bytes) > 1 && depth < 40 {
				f.nested, _ = takeApart(f.bytes, depth+1)
			}
		default:
			return nil, false
		}
		if n < 0 {
			return nil, false
		}
		b = b[n:]
		fields = append(fields, f)
	}
	return fields, true
}

// putTogether is the inverse of takeApart.
func putTogether(b []byte, fields []*field) []byte {
	for _, f := range fields {
		b = protowire.AppendTag(b, f.num, f.typ)
		switch {
		case f.typ == protowire.VarintType:
			b = protowire.AppendVarint(b, f.n)
		case f.typ == protowire.Fixed32Type:
			b = protowire.AppendFixed32(b, uint32(f.n))
		case f.nested != nil:
			b = protowire.AppendBytes(b, putTogether(nil, f.nested))
		default:
			b = protowire.AppendBytes(b, f.bytes)
		}
	}
	return b
}

// place is a field and the list that it stands in.
type place struct {
	list *[]*field
	i    int
}

// places lists all fields with theirs.
func places(list *[]*field, to []place) []place {
	for i, f := range *list {
		to = append(to, place{list, i})
		if f.nested != nil {
			to = places(&f.nested, to)
		}
	}
	return to
}

// extremes are numbers that sizes, indices, types and versions do not expect.
var extremes = []uint64{
	0, 1, 2, 3, 7, 8, 10, 11, 16, 17, 22, 27, 28, 29, 127, 255, 1 << 16, 1 << 20, 1 << 28, 1<<31 - 1, 1 << 31, 1 << 32, 1 << 40,
	1 << 61, math.MaxInt64, 1 << 63, math.MaxUint64, math.MaxUint64 - 1, math.MaxUint64 - 6, 1<<64 - 1<<31, 0x7f800000, 0x7fc00000,
}

// mutate damages a model: mostly one field of the message, sometimes two, sometimes the bytes themselves.
func mutate(b []byte, r *rand.Rand) []byte {
	fields, ok := takeApart(b, 0)
	if !ok || len(fields) == 0 || r.IntN(5) == 0 {
		return damage(b, r)
	}
	for range 1 + r.IntN(8)/6 {
		all := places(&fields, nil)
		change(all, all[r.IntN(len(all))], r)
	}
	return putTogether(nil, fields)
}

// change makes one change at a field.
func change(all []place, p place, r *rand.Rand) {
	list := *p.list
	f := list[p.i]
	other := all[r.IntN(len(all))]
	o := (*other.list)[other.i]
	switch r.IntN(10) {
	case 0: // gone
		*p.list = append(append([]*field{}, list[:p.i]...), list[p.i+1:]...)
	case 1: // twice
		*p.list = append(append([]*field{}, list[:p.i+1]...), list[p.i:]...)
	case 2: // moved to the front
		*p.list = append([]*field{f}, append(append([]*field{}, list[:p.i]...), list[p.i+1:]...)...)
	case 3: // another field's contents, which must not hold this one
		if o.typ == f.typ && o.nested == nil {
			f.n, f.bytes, f.nested = o.n, o.bytes, nil
		}
	case 4: // another number of field
		f.num = protowire.Number(1 + r.IntN(26))
	default:
		contents(f, r)
	}
}

// contents changes what a field holds.
func contents(f *field, r *rand.Rand) {
	switch {
	case f.typ != protowire.BytesType && r.IntN(3) == 0:
		f.n += uint64(r.IntN(9)) - 4
	case f.typ != protowire.BytesType:
		f.n = extremes[r.IntN(len(extremes))]
	default:
		b := f.bytes
		if f.nested != nil {
			b = putTogether(nil, f.nested)
		}
		f.bytes, f.nested = damage(b, r), nil
	}
}

// damage changes bytes.
func damage(b []byte, r *rand.Rand) []byte {
	b = append([]byte{}, b...)
	if len(b) == 0 {
		return append(b, byte(r.IntN(256)))
	}
	i := r.IntN(len(b))
	switch r.IntN(6) {
	case 0:
		b[i] ^= 1 << r.IntN(8)
	case 1:
		b[i] = byte(r.IntN(256))
	case 2:
		b = b[:i]
	case 3:
		b = append(b[:i], b[min(i+1+r.IntN(4), len(b)):]...)
	case 4:
		b = append(b[:i:i], append([]byte{byte(r.IntN(256))}, b[i:]...)...)
	default: // a number stretched to the longest form
		b = append(b[:i:i], append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, b[i+1:]...)...)
	}
	return b
}
