package wire

import (
	"io"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// refer is the length from which bytes are referred to instead of copied.
const refer = 4096

// Writer builds a message. The zero Writer is ready.
type Writer struct {
	buf   []byte
	cuts  []cut
	extra int64 // length of all data in cuts
}

// cut is data that belongs between buf[:pos] and buf[pos:].
type cut struct {
	pos  int
	data []byte
}

// Size is the length of what was written, in bytes.
func (w *Writer) Size() int64 { return int64(len(w.buf)) + w.extra }

// Varint writes an int64, int32, enum or uint64 field.
func (w *Writer) Varint(num protowire.Number, v int64) {
	w.buf = protowire.AppendTag(w.buf, num, protowire.VarintType)
	w.buf = protowire.AppendVarint(w.buf, uint64(v))
}

// Float32 writes a float field.
func (w *Writer) Float32(num protowire.Number, v float32) {
	w.buf = protowire.AppendTag(w.buf, num, protowire.Fixed32Type)
	w.buf = protowire.AppendFixed32(w.buf, math.Float32bits(v))
}

// Str writes a string field.
func (w *Writer) Str(num protowire.Number, s string) {
	w.buf = protowire.AppendTag(w.buf, num, protowire.BytesType)
	w.buf = protowire.AppendString(w.buf, s)
}

// Bytes writes a bytes field or a message. b must not change before the Writer is done.
func (w *Writer) Bytes(num protowire.Number, b []byte) {
	w.buf = protowire.AppendTag(w.buf, num, protowire.BytesType)
	w.buf = protowire.AppendVarint(w.buf, uint64(len(b)))
	w.Raw(b)
}

// Raw writes whole fields, tags included.
func (w *Writer) Raw(b []byte) {
	if len(b) < refer {
		w.buf = append(w.buf, b...)
		return
	}
	w.cuts = append(w.cuts, cut{len(w.buf), b})
	w.extra += int64(len(b))
}

// Message writes a message whose fields do writes.
func (w *Writer) Message(num protowire.Number, do func()) {
	pos, cuts, size := len(w.buf), len(w.cuts), w.Size()
	do()
	var head [16]byte
	h := protowire.AppendTag(head[:0], num, protowire.BytesType)
	h = protowire.AppendVarint(h, uint64(w.Size()-size))
	w.buf = slices.Insert(w.buf, pos, h...)
	for i := range w.cuts[cuts:] {
		w.cuts[cuts+i].pos += len(h)
	}
}

// Packed writes a packed repeated field of varints, or nothing if there are none.
func (w *Writer) Packed(num protowire.Number, n int, at func(i int) uint64) {
	if n == 0 {
		return
	}
	size := 0
	for i := range n {
		size += protowire.SizeVarint(at(i))
	}
	w.buf = protowire.AppendTag(w.buf, num, protowire.BytesType)
	w.buf = protowire.AppendVarint(w.buf, uint64(size))
	w.buf = slices.Grow(w.buf, size)
	for i := range n {
		w.buf = protowire.AppendVarint(w.buf, at(i))
	}
}

// AppendTo appends the message to b.
func (w *Writer) AppendTo(b []byte) []byte {
	b = slices.Grow(b, int(w.Size()))
	pos := 0
	for _, c := range w.cuts {
		b = append(append(b, w.buf[pos:c.pos]...), c.data...)
		pos = c.pos
	}
	return append(b, w.buf[pos:]...)
}

// WriteTo writes the message to out.
func (w *Writer) WriteTo(out io.Writer) (int64, error) {
	var total int64
	pos := 0
	for _, c := range append(w.cuts, cut{len(w.buf), nil}) {
		for _, b := range [][]byte{w.buf[pos:c.pos], c.data} {
			n, err := out.Write(b)
			total += int64(n)
			if err != nil {
				return total, err
			}
		}
		pos = c.pos
	}
	return total, nil
}
