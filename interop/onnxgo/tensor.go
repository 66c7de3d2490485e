package onnxgo

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/gneiss-ml/gneiss/onnx"
	"gorgonia.org/tensor"
)

// FromGorgonia copies a tensor, views and transposed ones included, into the order of rows that ONNX has.
//
// Errors are of the kind errors.ErrUnsupported for element types that ONNX does not have.
func FromGorgonia(t tensor.Tensor) (out *onnx.Tensor, err error) {
	defer recovered("tensor", &err)
	if t == nil {
		return nil, onnx.Invalidf("onnxgo: expected a tensor, received nil")
	}
	switch t.Dtype() {
	case tensor.Bool:
		return numbers[bool](t)
	case tensor.Float32:
		return numbers[float32](t)
	case tensor.Float64:
		return numbers[float64](t)
	case tensor.Int8:
		return numbers[int8](t)
	case tensor.Int16:
		return numbers[int16](t)
	case tensor.Int32:
		return numbers[int32](t)
	case tensor.Int64:
		return numbers[int64](t)
	case tensor.Uint8:
		return numbers[uint8](t)
	case tensor.Uint16:
		return numbers[uint16](t)
	case tensor.Uint32:
		return numbers[uint32](t)
	case tensor.Uint64:
		return numbers[uint64](t)
	case tensor.String:
		text, err := elements[string](t)
		if err != nil {
			return nil, err
		}
		return onnx.Strings(text, shapeOf(t)...)
	}
	return nil, onnx.Unsupportedf("onnxgo: tensors of type %v", t.Dtype())
}

// recovered makes a panic of the tensor library an error.
func recovered(what string, err *error) {
	if x := recover(); x != nil {
		*err = errors.Join(*err, onnx.Invalidf("onnxgo: %s: %v", what, x))
	}
}

func shapeOf(t tensor.Tensor) []int { return append([]int{}, t.Shape()...) }

func numbers[T onnx.Number](t tensor.Tensor) (*onnx.Tensor, error) {
	v, err := elements[T](t)
	if err != nil {
		return nil, err
	}
	return onnx.NewTensor(v, shapeOf(t)...)
}

// elements copies t's elements in the order of rows.
func elements[T any](t tensor.Tensor) ([]T, error) {
	v, ok := t.Data().(T)
	if ok {
		return []T{v}, nil
	}
	data, ok := t.Data().([]T)
	if !ok {
		return nil, onnx.Unsupportedf("onnxgo: tensors that hold their elements as %T", t.Data())
	}
	n, ok := onnx.NumElements(shapeOf(t))
	if !ok {
		return nil, onnx.Invalidf("onnxgo: shape %v is too large", t.Shape())
	}
	out := make([]T, 0, n)
	if !t.RequiresIterator() && !t.DataOrder().IsColMajor() {
		out = append(out, data...)
	} else {
		it := t.Iterator()
		for i, err := it.Next(); err == nil; i, err = it.Next() {
			out = append(out, data[i])
		}
	}
	if len(out) != n {
		return nil, onnx.Invalidf("onnxgo: shape %v: expected %d elements, received %d", t.Shape(), n, len(out))
	}
	return out, nil
}

// ToGorgonia copies a tensor.
//
// Errors are of the kind errors.ErrUnsupported for element types that gorgonia.org/tensor does not have, such as float16, and
// for tensors without elements, which it cannot hold.
func ToGorgonia(t *onnx.Tensor) (out tensor.Tensor, err error) {
	defer recovered("tensor", &err)
	if t.Len() == 0 {
		return nil, onnx.Unsupportedf("onnxgo: gorgonia.org/tensor holds no tensor of shape %v", t.Shape)
	}
	switch t.Elem {
	case onnx.Bool:
		return dense(t, onnx.Data[bool](t)), nil
	case onnx.Float32:
		return dense(t, onnx.Data[float32](t)), nil
	case onnx.Float64:
		return dense(t, onnx.Data[float64](t)), nil
	case onnx.Int8:
		return dense(t, onnx.Data[int8](t)), nil
	case onnx.Int16:
		return dense(t, onnx.Data[int16](t)), nil
	case onnx.Int32:
		return dense(t, onnx.Data[int32](t)), nil
	case onnx.Int64:
		return dense(t, onnx.Data[int64](t)), nil
	case onnx.Uint8:
		return dense(t, onnx.Data[uint8](t)), nil
	case onnx.Uint16:
		return dense(t, onnx.Data[uint16](t)), nil
	case onnx.Uint32:
		return dense(t, onnx.Data[uint32](t)), nil
	case onnx.Uint64:
		return dense(t, onnx.Data[uint64](t)), nil
	case onnx.String:
		return dense(t, t.StringData()), nil
	}
	return nil, onnx.Unsupportedf("onnxgo: gorgonia.org/tensor has no element type %v", t.Elem)
}

func dense[T any](t *onnx.Tensor, v []T) tensor.Tensor {
	if len(t.Shape) == 0 {
		return tensor.New(tensor.FromScalar(v[0]))
	}
	return tensor.New(tensor.WithShape(t.Shape...), tensor.WithBacking(append([]T{}, v...)))
}

// placeholder is what stands in a node before a value is known: zeros of the dims that are fixed, as onnx-go makes it. It is
// nil for what gorgonia.org/tensor cannot hold.
func placeholder(t onnx.Type) (out tensor.Tensor) {
	defer func() {
		if recover() != nil {
			out = nil
		}
	}()
	kind, ok := dtypes[t.Elem]
	if !ok || !t.IsTensor() {
		return nil
	}
	var shape []int
	for _, d := range t.Shape {
		if d.IsFixed() {
			shape = append(shape, int(d.N))
		}
	}
	if n, ok := onnx.NumElements(shape); !ok || n > maxPlaceholder {
		return nil
	}
	return tensor.New(tensor.WithShape(shape...), tensor.Of(kind))
}

// maxPlaceholder is the most elements of a placeholder: a file may declare anything.
const maxPlaceholder = 1 << 26

var dtypes = map[onnx.ElemType]tensor.Dtype{
	onnx.Bool: tensor.Bool, onnx.Float32: tensor.Float32, onnx.Float64: tensor.Float64, onnx.Int8: tensor.Int8,
	onnx.Int16: tensor.Int16, onnx.Int32: tensor.Int32, onnx.Int64: tensor.Int64, onnx.Uint8: tensor.Uint8,
	onnx.Uint16: tensor.Uint16, onnx.Uint32: tensor.Uint32, onnx.Uint64: tensor.Uint64, onnx.String: tensor.String,
}

// attribute converts what onnx-go makes of an attribute.
func attribute(name string, v any) (onnx.Attribute, error) {
	switch v := v.(type) {
	case float32:
		return onnx.Float(name, v), nil
	case int64:
		return onnx.Int(name, v), nil
	case string:
		return onnx.Str(name, v), nil
	case []float32:
		return onnx.Floats(name, v...), nil
	case []int64:
		return onnx.Ints(name, v...), nil
	case []string:
		return onnx.Attribute{Name: name, Kind: onnx.AttrStrings, Strings: v}, nil
	case tensor.Tensor:
		if reflect.ValueOf(v).IsNil() {
			break
		}
		t, err := FromGorgonia(v)
		if err != nil {
			return onnx.Attribute{}, fmt.Errorf("attribute %.128q: %w", name, err)
		}
		return onnx.TensorAttr(name, t), nil
	}
	return onnx.Attribute{}, onnx.Unsupportedf("onnxgo: attribute %.128q of type %T", name, v)
}
