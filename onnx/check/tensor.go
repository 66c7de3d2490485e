package check

import (
	"path"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
)

// tensor checks what the decoder does not: where external data are said to be.
func (c *checker) tensor(t *onnx.Tensor, field string) {
	if !t.Elem.Valid() {
		c.fault(field, "element type %d does not exist", int32(t.Elem))
		return
	}
	if x := t.External; x != nil {
		clean := path.Clean(strings.ReplaceAll(x.Location, `\`, "/"))
		if path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsRune(x.Location, 0) ||
			len(clean) > 1 && clean[1] == ':' {
			c.fault(field, "external data %.128q lie outside of the model's folder", x.Location)
		}
		c.extent(t, field)
		return
	}
	n, ok := onnx.NumElements(t.Shape)
	size, ok2 := t.Elem.NumBytes(n)
	have := len(t.Bytes())
	if t.Elem == onnx.String {
		size, have = n, len(t.StringData())
	}
	if !ok || !ok2 || size != have {
		c.fault(field, "%v of shape %v has contents of another size", t.Elem, t.Shape)
	}
}

func (c *checker) extent(t *onnx.Tensor, field string) {
	n, ok := onnx.NumElements(t.Shape)
	size, ok2 := t.Elem.NumBytes(n)
	if x := t.External; !ok || !ok2 || x.Length >= 0 && x.Length != int64(size) {
		c.fault(field, "%v of shape %v: expected %d bytes of external data, received %d", t.Elem, t.Shape, size, x.Length)
	}
}

// sparse checks that positions are in range, ascending and as many as values.
func (c *checker) sparse(s *onnx.SparseTensor, field string) {
	c.tensor(s.Values, field)
	c.tensor(s.Indices, field)
	n, ok := onnx.NumElements(s.Dims)
	if !ok || len(s.Values.Shape) != 1 {
		c.fault(field, "expected values of rank 1 and a shape that fits, received shapes %v and %v", s.Values.Shape, s.Dims)
		return
	}
	nnz, rank := s.Values.Shape[0], len(s.Dims)
	index := onnx.Data[int64](s.Indices)
	coords := len(s.Indices.Shape) == 2 && s.Indices.Shape[0] == nnz && s.Indices.Shape[1] == rank
	flat := len(s.Indices.Shape) == 1 && s.Indices.Shape[0] == nnz
	switch {
	case s.Indices.External != nil:
	case coords && len(index) == nnz*rank:
		c.coordinates(s, index, field)
	case flat && len(index) == nnz:
		c.positions(index, int64(n), field)
	default:
		c.fault(field, "expected indices of shape [%d] or [%d,%d], received %v", nnz, nnz, rank, s.Indices.Shape)
	}
}

func (c *checker) positions(index []int64, n int64, field string) {
	for i, p := range index {
		if p < 0 || p >= n || i > 0 && p <= index[i-1] {
			c.fault(field, "index %d: expected ascending positions below %d, received %d", i, n, p)
			return
		}
	}
}

func (c *checker) coordinates(s *onnx.SparseTensor, index []int64, field string) {
	rank := len(s.Dims)
	last := int64(-1)
	for i := 0; i+rank <= len(index) && rank > 0; i += rank {
		at := int64(0)
		for a, p := range index[i : i+rank] {
			if p < 0 || p >= int64(s.Dims[a]) {
				c.fault(field, "index %d: expected 0 to %d on axis %d, received %d", i/rank, s.Dims[a]-1, a, p)
				return
			}
			at = at*int64(s.Dims[a]) + p
		}
		if at <= last {
			c.fault(field, "index %d: expected ascending positions", i/rank)
			return
		}
		last = at
	}
}
