package ops

import (
	"cmp"
	"math"

	"github.com/gneiss-ml/gneiss/onnx"
)

// orderKeys maps real numbers to integers that are in the same order, the one order of every sort: numbers, +Inf, NaN; -0
// equals +0 and NaN equals NaN. It returns nil for element types without that order.
func orderKeys(e onnx.ElemType) func(keys []uint64, x []byte) {
	switch e {
	case onnx.Float32:
		return keysBy(func(v float32) uint64 { return floatKey(float64(v)) })
	case onnx.Float64:
		return keysBy(floatKey)
	case onnx.Float16:
		return keysBy(func(v onnx.F16) uint64 { return floatKey(float64(v.Float32())) })
	case onnx.BFloat16:
		return keysBy(func(v onnx.BF16) uint64 { return floatKey(float64(v.Float32())) })
	case onnx.Int8:
		return keysBy(func(v int8) uint64 { return intKey(int64(v)) })
	case onnx.Int16:
		return keysBy(func(v int16) uint64 { return intKey(int64(v)) })
	case onnx.Int32:
		return keysBy(func(v int32) uint64 { return intKey(int64(v)) })
	case onnx.Int64:
		return keysBy(intKey)
	case onnx.Uint8, onnx.Bool:
		return keysBy(func(v uint8) uint64 { return uint64(v) })
	case onnx.Uint16:
		return keysBy(func(v uint16) uint64 { return uint64(v) })
	case onnx.Uint32:
		return keysBy(func(v uint32) uint64 { return uint64(v) })
	case onnx.Uint64:
		return keysBy(func(v uint64) uint64 { return v })
	}
	return nil
}

func keysBy[T onnx.Number](key func(T) uint64) func([]uint64, []byte) {
	return func(keys []uint64, x []byte) {
		for i, v := range onnx.View[T](x) {
			keys[i] = key(v)
		}
	}
}

func intKey(v int64) uint64 { return uint64(v) ^ 1<<63 }

func floatKey(v float64) uint64 {
	switch {
	case v != v:
		return math.MaxUint64
	case v == 0:
		return 1 << 63
	}
	b := math.Float64bits(v)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// ordering compares the elements of a tensor by their places.
type ordering struct {
	keys  []uint64
	width int // keys per element: 2 for complex numbers
	s     []string
}

// orderingOf makes the keys of x, charged to the run.
func (m *mover) orderingOf(e onnx.ElemType, x array) (*ordering, error) {
	width, part := 1, e
	switch e {
	case onnx.String:
		return &ordering{s: x.s}, nil
	case onnx.Complex64:
		width, part = 2, onnx.Float32
	case onnx.Complex128:
		width, part = 2, onnx.Float64
	}
	fill := orderKeys(part)
	if fill == nil {
		return nil, badElem(e)
	}
	if err := m.charge(x.len(), 8*width); err != nil {
		return nil, err
	}
	o := &ordering{keys: make([]uint64, width*x.len()), width: width}
	fill(o.keys, x.b)
	return o, nil
}

// compare orders elements i and j.
func (o *ordering) compare(i, j int) int {
	if o.keys == nil && o.width == 0 {
		return cmp.Compare(o.s[i], o.s[j])
	}
	for k := range o.width {
		if c := cmp.Compare(o.keys[i*o.width+k], o.keys[j*o.width+k]); c != 0 {
			return c
		}
	}
	return 0
}
