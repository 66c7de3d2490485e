package dataset

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/gneiss-ml/gneiss/onnx"
)

// maxIDX is the most bytes of elements that IDX reads.
const maxIDX = 1 << 30

// IDX reads a tensor of unsigned bytes in the idx format of MNIST: two zero bytes, 8 for the element type, the rank, the
// sizes as big-endian 32-bit numbers, the elements. It is an error if the stream is shorter or longer than the sizes say.
func IDX(r io.Reader) (*onnx.Tensor, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, cut("header", err)
	}
	if head[0] != 0 || head[1] != 0 || head[2] != 8 || head[3] == 0 || head[3] > 8 {
		return nil, onnx.Invalidf("dataset: idx: expected a header 00 00 08 and a rank from 1 to 8, received % x", head)
	}
	dims := make([]uint32, head[3])
	if err := binary.Read(r, binary.BigEndian, dims); err != nil {
		return nil, cut("sizes", err)
	}
	shape, n := make([]int, len(dims)), 1
	for i, d := range dims {
		var ok bool
		if shape[i] = int(d); shape[i] < 0 {
			return nil, onnx.Invalidf("dataset: idx: size %d is too large", d)
		}
		if n, ok = onnx.MulSize(n, shape[i]); !ok || n > maxIDX {
			return nil, &onnx.LimitError{Limit: "bytes of an idx file", Value: maxIDX, Asked: int64(n), Unit: "bytes"}
		}
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(n)+1))
	if err != nil {
		return nil, cut("elements", err)
	}
	if len(data) != n {
		return nil, onnx.Invalidf("dataset: idx: shape %v: expected %d elements, received %d%s", shape, n, min(len(data), n), more(len(data) > n))
	}
	return onnx.NewTensor(data, shape...)
}

func more(yes bool) string {
	if yes {
		return " and more"
	}
	return ""
}

func cut(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return onnx.Invalidf("dataset: idx: the file ends in its %s: %w", what, err)
	}
	return onnx.Invalidf("dataset: idx: %w", err)
}

// OneHot makes class numbers (uint8 or int64, shape [N]) a float tensor [N, classes] with a 1 at the class.
func OneHot(t *onnx.Tensor, classes int) (*onnx.Tensor, error) {
	labels, err := Labels(t)
	if err != nil {
		return nil, err
	}
	ids := onnx.Data[int64](labels)
	y, err := onnx.Zeros(onnx.Float32, len(ids), classes)
	if err != nil {
		return nil, err
	}
	dst := onnx.View[float32](y.Mutable())
	for i, c := range ids {
		if c < 0 || c >= int64(classes) {
			return nil, onnx.Invalidf("dataset: class %d of row %d is out of range for %d classes", c, i, classes)
		}
		dst[i*classes+int(c)] = 1
	}
	return y, nil
}

// Labels makes class numbers (uint8, int32 or int64) int64, keeping their shape.
func Labels(t *onnx.Tensor) (*onnx.Tensor, error) {
	ids := make([]int64, t.Len())
	switch t.Elem {
	case onnx.Uint8:
		convert(ids, onnx.Data[uint8](t))
	case onnx.Int32:
		convert(ids, onnx.Data[int32](t))
	case onnx.Int64:
		convert(ids, onnx.Data[int64](t))
	default:
		return nil, onnx.Invalidf("dataset: expected class numbers of type uint8, int32 or int64, received %v", t.Elem)
	}
	return onnx.NewTensor(ids, t.Shape...)
}

func convert[D, S uint8 | int32 | int64 | float32](dst []D, src []S) {
	for i, v := range src {
		dst[i] = D(v)
	}
}

// Images makes unsigned bytes of shape [N, H, W] a data set of float images [N, 1, H, W] in [0, 1], converted batch by
// batch, with the targets y, which may be nil.
func Images(x, y *onnx.Tensor) (Dataset, error) {
	if x.Elem != onnx.Uint8 || len(x.Shape) != 3 {
		return nil, onnx.Invalidf("dataset: expected images of type uint8[N,H,W], received %v", x.Type())
	}
	return &images{memory{[]*onnx.Tensor{x}, nil}, y}, nil
}

type images struct {
	raw memory
	y   *onnx.Tensor
}

func (d *images) Len() int { return d.raw.Len() }

func (d *images) Read(b *Batch, rows []int) error {
	x := d.raw.inputs[0]
	if len(b.Inputs) != 1 {
		b.Inputs = make([]*onnx.Tensor, 1)
	}
	dst, err := Reuse(b.Inputs[0], onnx.Float32, len(rows), 1, x.Shape[1], x.Shape[2])
	if err != nil {
		return err
	}
	b.Inputs[0] = dst
	to, from, size := onnx.View[float32](dst.Mutable()), onnx.Data[uint8](x), x.Shape[1]*x.Shape[2]
	for i, r := range rows {
		if r < 0 || r >= x.Shape[0] {
			return onnx.Invalidf("dataset: row %d of %d asked for", r, x.Shape[0])
		}
		for j, v := range from[r*size : (r+1)*size] {
			to[i*size+j] = float32(v) / 255
		}
	}
	if d.y == nil {
		b.Targets = nil
		return nil
	}
	b.Targets, err = takeAll(b.Targets, []*onnx.Tensor{d.y}, rows, d.Len())
	return err
}
