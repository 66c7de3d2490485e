package arrayfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
)

// maxNPYHeader is the most bytes of an npy header.
const maxNPYHeader = 10_000

const npyMagic = "\x93NUMPY"

// npyTypes pairs numpy's type codes with element types.
var npyTypes = []struct {
	code string
	elem onnx.ElemType
}{
	{"f4", onnx.Float32},
	{"f8", onnx.Float64},
	{"f2", onnx.Float16},
	{"i8", onnx.Int64},
	{"i4", onnx.Int32},
	{"i2", onnx.Int16},
	{"i1", onnx.Int8},
	{"u8", onnx.Uint64},
	{"u4", onnx.Uint32},
	{"u2", onnx.Uint16},
	{"u1", onnx.Uint8},
	{"b1", onnx.Bool},
	{"c8", onnx.Complex64},
	{"c16", onnx.Complex128},
}

// WriteNPY writes one array: version 1.0, row-major, little-endian. bfloat16 and the 8-bit floats have no numpy type and are
// an error of the unsupported kind.
func WriteNPY(w io.Writer, t *onnx.Tensor) error {
	code := ""
	for _, n := range npyTypes {
		if n.elem == t.Elem {
			code = n.code
		}
	}
	if code == "" {
		return onnx.Unsupportedf("npy: element type %v", t.Elem)
	}
	order := "<"
	if t.Elem.Size() == 1 {
		order = "|"
	}
	shape := ""
	for _, d := range t.Shape {
		shape += strconv.Itoa(d) + ", "
	}
	if len(t.Shape) != 1 {
		shape = strings.TrimSuffix(shape, ", ")
	} else {
		shape = strings.TrimSuffix(shape, " ")
	}
	head := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': False, 'shape': (%s), }", order, code, shape)
	head += strings.Repeat(" ", 63-(len(npyMagic)+4+len(head))%64) + "\n"
	var b bytes.Buffer
	b.WriteString(npyMagic + "\x01\x00")
	b.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(head))))
	b.WriteString(head)
	if _, err := w.Write(b.Bytes()); err != nil {
		return err
	}
	_, err := w.Write(t.Bytes())
	return err
}

// ReadNPY reads one array of versions 1 to 3, row- or column-major, little- or big-endian, of at most limit bytes of
// elements; 0 is no limit. Arrays of Python objects are refused.
func ReadNPY(r io.Reader, limit int64) (*onnx.Tensor, error) {
	h, err := npyHeader(r)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	t, err := h.read(r, limit)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	return t, nil
}

// npyHead is what the header of an npy file says.
type npyHead struct {
	elem    onnx.ElemType
	big     bool // big-endian
	fortran bool
	shape   []int
}

func npyHeader(r io.Reader) (*npyHead, error) {
	var fixed [8]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil || string(fixed[:6]) != npyMagic {
		return nil, onnx.Invalidf("the file does not begin as an npy file")
	}
	size := make([]byte, 2)
	if fixed[6] >= 2 {
		size = make([]byte, 4)
	}
	if fixed[6] < 1 || fixed[6] > 3 {
		return nil, onnx.Unsupportedf("version %d", fixed[6])
	}
	if _, err := io.ReadFull(r, size); err != nil {
		return nil, onnx.Invalidf("the file ends in its header")
	}
	n := int(binary.LittleEndian.Uint16(size))
	if len(size) == 4 {
		n = int(min(binary.LittleEndian.Uint32(size), math.MaxInt32))
	}
	if n > maxNPYHeader {
		return nil, &onnx.LimitError{Limit: "npy header", Value: maxNPYHeader, Asked: int64(n), Unit: "bytes"}
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, onnx.Invalidf("the file ends in its header")
	}
	return parseNPY(string(text))
}

// parseNPY reads the Python dictionary of a header.
func parseNPY(s string) (*npyHead, error) {
	h := &npyHead{}
	descr, ok1 := npyField(s, "descr")
	order, ok2 := npyField(s, "fortran_order")
	shape, ok3 := npyField(s, "shape")
	if !ok1 || !ok2 || !ok3 {
		return nil, onnx.Invalidf("the header lacks descr, fortran_order or shape: %.128q", s)
	}
	if !strings.HasPrefix(descr, "'") || len(descr) < 4 {
		return nil, onnx.Unsupportedf("type %.64s", descr)
	}
	code := strings.Trim(descr, "'")
	h.big = code[0] == '>'
	for _, n := range npyTypes {
		if n.code == strings.TrimLeft(code, "<>|=") {
			h.elem = n.elem
		}
	}
	if h.elem == onnx.Undefined {
		return nil, onnx.Unsupportedf("type %.64q", code)
	}
	h.fortran = order == "True"
	for f := range strings.SplitSeq(strings.Trim(shape, "()"), ",") {
		if f = strings.TrimSpace(f); f == "" {
			continue
		}
		d, err := strconv.Atoi(f)
		if err != nil || d < 0 || len(h.shape) == 64 {
			return nil, onnx.Invalidf("shape %.64q", shape)
		}
		h.shape = append(h.shape, d)
	}
	return h, nil
}

// npyField is the text of a value in a header: up to the comma that ends it.
func npyField(s, key string) (string, bool) {
	_, rest, ok := strings.Cut(s, "'"+key+"':")
	if !ok {
		return "", false
	}
	rest = strings.TrimLeft(rest, " ")
	end := strings.IndexAny(rest, ",}")
	if strings.HasPrefix(rest, "(") {
		end = strings.IndexByte(rest, ')') + 1
	}
	if end <= 0 {
		return "", false
	}
	return strings.TrimSpace(rest[:end]), true
}

func (h *npyHead) read(r io.Reader, limit int64) (*onnx.Tensor, error) {
	n, ok := onnx.NumElements(h.shape)
	size, ok2 := h.elem.NumBytes(n)
	if !ok || !ok2 {
		return nil, onnx.Invalidf("shape %v is too large", h.shape)
	}
	if limit > 0 && int64(size) > limit {
		return nil, &onnx.LimitError{Limit: "array", Value: limit, Asked: int64(size), Unit: "bytes"}
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil {
		return nil, err
	}
	if len(data) != size {
		return nil, onnx.Invalidf("shape %v: expected %d bytes, received %d", h.shape, size, len(data))
	}
	if h.big {
		swap(data, h.elem)
	}
	if h.fortran && len(h.shape) > 1 {
		data = rowMajor(data, h.shape, h.elem.Size())
	}
	t, err := onnx.Borrow(h.elem, h.shape, data)
	if err != nil {
		return nil, err
	}
	return t.Clone(), nil
}

// swap turns the bytes of each number round; complex numbers are two.
func swap(data []byte, e onnx.ElemType) {
	size := e.Size()
	if e == onnx.Complex64 || e == onnx.Complex128 {
		size /= 2
	}
	for i := 0; i+size <= len(data); i += size {
		slices.Reverse(data[i : i+size])
	}
}

// rowMajor reorders a column-major array.
func rowMajor(data []byte, shape []int, size int) []byte {
	out := make([]byte, len(data))
	index := make([]int, len(shape))
	for to := 0; to < len(data); to += size {
		from, step := 0, 1
		for i, d := range shape {
			from += index[i] * step
			step *= d
		}
		copy(out[to:to+size], data[from*size:])
		for i := len(shape) - 1; i >= 0; i-- {
			if index[i]++; index[i] < shape[i] {
				break
			}
			index[i] = 0
		}
	}
	return out
}
