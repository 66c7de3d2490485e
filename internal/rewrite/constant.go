package rewrite

import "github.com/gneiss-ml/gneiss/onnx"

// constant makes an initializer of its graph take the place of n, a Constant, which the caller removes.
func (p *preparer) constant(n *onnx.Node) error {
	if n.NumOut() != 1 || n.NumIn() != 0 || len(n.Attrs) != 1 || n.Out(0) == nil {
		return onnx.Invalidf("expected one attribute and one output, received %d and %d", len(n.Attrs), n.NumOut())
	}
	t, err := p.constantValue(&n.Attrs[0])
	if err != nil {
		return err
	}
	v := n.Out(0)
	w := n.Graph().Initializer(v.Name, t.Type(), t)
	replace(v, w, p.outputs)
	v.Name, w.Name = w.Name, v.Name
	return nil
}

// constantValue is the tensor that an attribute of Constant means.
func (p *preparer) constantValue(a *onnx.Attribute) (*onnx.Tensor, error) {
	switch {
	case a.Ref != "":
	case a.Name == "value" && a.Kind == onnx.AttrTensor && a.T != nil:
		return a.T, nil
	case a.Name == "sparse_value" && a.Kind == onnx.AttrSparseTensor && a.Sparse != nil:
		return p.dense(a.Sparse)
	case a.Name == "value_float" && a.Kind == onnx.AttrFloat:
		return onnx.Scalar(a.F), nil
	case a.Name == "value_floats" && a.Kind == onnx.AttrFloats:
		return onnx.Vector(a.Floats...), nil
	case a.Name == "value_int" && a.Kind == onnx.AttrInt:
		return onnx.Scalar(a.I), nil
	case a.Name == "value_ints" && a.Kind == onnx.AttrInts:
		return onnx.Vector(a.Ints...), nil
	case a.Name == "value_string" && a.Kind == onnx.AttrString:
		return onnx.Strings([]string{a.S})
	case a.Name == "value_strings" && a.Kind == onnx.AttrStrings:
		return onnx.Strings(a.Strings, len(a.Strings))
	}
	return nil, onnx.Invalidf("attribute %.128q of kind %d is not a constant", a.Name, a.Kind)
}

// dense makes the dense form of a sparse tensor, once it is paid for.
func (p *preparer) dense(s *onnx.SparseTensor) (*onnx.Tensor, error) {
	if s.Values == nil || s.Indices == nil || s.Indices.Elem != onnx.Int64 {
		return nil, onnx.Invalidf("sparse tensor: expected values and int64 indices")
	}
	e := s.Values.Elem
	n, ok := onnx.NumElements(s.Dims)
	bytes, ok2 := e.NumBytes(n)
	if !ok || !ok2 {
		return nil, onnx.Invalidf("sparse tensor of shape %v is too large", s.Dims)
	}
	if e == onnx.String {
		bytes, ok = onnx.MulSize(n, 16)
	}
	if !ok || e.Packed() {
		return nil, onnx.Unsupportedf("sparse tensor of %v and shape %v", e, s.Dims)
	}
	if err := p.o.charge(int64(bytes)); err != nil {
		return nil, err
	}
	flat, err := flatIndices(s, n)
	if err != nil {
		return nil, err
	}
	t, err := onnx.Zeros(e, s.Dims...)
	if err != nil {
		return nil, err
	}
	if e == onnx.String {
		for i, at := range flat {
			t.StringData()[at] = s.Values.StringData()[i]
		}
		return t, nil
	}
	size, to, from := e.Size(), t.Mutable(), s.Values.Bytes()
	for i, at := range flat {
		copy(to[at*size:(at+1)*size], from[i*size:])
	}
	return t, nil
}

// flatIndices are the positions of the stored elements in the dense tensor of n elements: ascending, each at most once.
func flatIndices(s *onnx.SparseTensor, n int) ([]int, error) {
	idx, nnz, rank := onnx.Data[int64](s.Indices), s.Values.Len(), 1
	if len(s.Indices.Shape) == 2 {
		rank = len(s.Dims)
	}
	if len(idx) != nnz*rank || len(s.Indices.Shape) == 2 && s.Indices.Shape[1] != rank {
		return nil, onnx.Invalidf("sparse tensor: expected indices for %d values, received shape %v", nnz, s.Indices.Shape)
	}
	flat, last := make([]int, nnz), -1
	for i := range flat {
		at := 0
		for j, k := range idx[i*rank : (i+1)*rank] {
			dim := n
			if len(s.Indices.Shape) == 2 {
				dim = s.Dims[j]
			}
			if k < 0 || k >= int64(dim) {
				return nil, onnx.Invalidf("sparse tensor: index %d is out of range for %d", k, dim)
			}
			at = at*dim + int(k)
		}
		if rank == 1 && len(s.Indices.Shape) != 2 {
			at = int(idx[i])
		}
		if at <= last {
			return nil, onnx.Invalidf("sparse tensor: indices are not ascending")
		}
		flat[i], last = at, at
	}
	return flat, nil
}
