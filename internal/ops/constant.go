package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Constant is the tensor in one of its attributes. Opset 11 added sparse_value, 12 the attributes for numbers and strings.
// Graphs are prepared with initializers in its place, so that it runs only where nothing was prepared.
var opConstant = opdef.Def{
	Type: "Constant",
	Infer: func(c *opdef.Infer) error {
		t, err := ConstantOf(c.Node)
		if err != nil {
			return err
		}
		c.SetType(0, t.Type())
		if v, ok := onnxInts(t); ok {
			c.SetInts(0, v)
		}
		return nil
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		t, err := ConstantOf(c.Node)
		if err != nil {
			return opdef.Step{}, err
		}
		return moveStep(c, opdef.Step{}, func(m *mover) error {
			if t.Elem == onnx.String {
				m.SetBox(0, opdef.View{Elem: t.Elem, Shape: t.Shape, Box: t.StringData()})
				return nil
			}
			y, err := m.bound(0, t.Elem, t.Shape)
			if err == nil {
				copy(y.Data, t.Bytes())
			}
			return err
		}), nil
	},
	Grad: opdef.ZeroGrad,
	Widen: func(c *opdef.Rewrite) error {
		t, err := ConstantOf(c.Node)
		if err == nil && t.Elem.IsFloat() {
			if t, err = widened(t); err == nil {
				c.Node.Attrs = []onnx.Attribute{onnx.TensorAttr("value", t)}
			}
		}
		return err
	},
}

// onnxInts is the contents of a short list of integers.
func onnxInts(t *onnx.Tensor) ([]onnx.Dim, bool) {
	if len(t.Shape) > 1 || t.Len() > maxFollowed {
		return nil, false
	}
	return opdef.DimsOf(t)
}

// ConstantOf is the tensor that a Constant node makes.
func ConstantOf(n *onnx.Node) (*onnx.Tensor, error) {
	for i := range n.Attrs {
		a := &n.Attrs[i]
		switch {
		case a.Name == "value" && a.T != nil:
			return a.T, nil
		case a.Name == "sparse_value" && a.Sparse != nil:
			return dense(a.Sparse)
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
	}
	return nil, onnx.Invalidf("no attribute has a value")
}

// maxDense is the largest dense form that a constant may have beside a small sparse one.
const maxDense = 1 << 26 // bytes

// dense is the full tensor of a sparse one.
func dense(s *onnx.SparseTensor) (*onnx.Tensor, error) {
	if s.Values == nil || s.Indices == nil || s.Values.Elem == onnx.String || s.Values.Elem.Packed() {
		return nil, onnx.Unsupportedf("sparse tensors of this type are not supported")
	}
	n, ok := onnx.NumElements(s.Dims)
	bytes, ok2 := onnx.MulSize(n, s.Values.Elem.Size())
	switch {
	case !ok || !ok2:
		return nil, onnx.Invalidf("a sparse tensor of shape %v is too large", s.Dims)
	case bytes > maxDense:
		return nil, &onnx.LimitError{Limit: "dense form of a sparse constant", Value: maxDense, Asked: int64(bytes), Unit: "bytes"}
	}
	t, err := onnx.Zeros(s.Values.Elem, s.Dims...)
	if err != nil {
		return nil, err
	}
	at, nnz, rank := onnx.Data[int64](s.Indices), s.Values.Len(), len(s.Dims)
	flat := len(s.Indices.Shape) == 1
	if flat && len(at) != nnz || !flat && len(at) != nnz*rank {
		return nil, onnx.Invalidf("indices of shape %v for %d values of a sparse tensor of shape %v", s.Indices.Shape, nnz, s.Dims)
	}
	size, strides := s.Values.Elem.Size(), opdef.Strides(s.Dims)
	for i := range nnz {
		k := 0
		if flat {
			if at[i] < 0 || at[i] >= int64(n) {
				return nil, onnx.Invalidf("index %d of a sparse tensor of %d elements", at[i], n)
			}
			k = int(at[i])
		}
		for a := 0; !flat && a < rank; a++ {
			v := at[i*rank+a]
			if v < 0 || v >= int64(s.Dims[a]) {
				return nil, onnx.Invalidf("index %d of axis %d of a sparse tensor of shape %v", v, a, s.Dims)
			}
			k += int(v) * strides[a]
		}
		copy(t.Mutable()[k*size:(k+1)*size], s.Values.Bytes()[i*size:])
	}
	return t, nil
}
