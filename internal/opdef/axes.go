package opdef

import "github.com/gneiss-ml/gneiss/onnx"

// Axis turns an axis that may count from the end into one from 0 to rank-1.
func Axis(axis int64, rank int) (int, error) {
	if axis < -int64(rank) || axis >= int64(rank) {
		return 0, onnx.Invalidf("axis %d is out of range for rank %d", axis, rank)
	}
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), nil
}

// AxisMask marks the axes in a list; an axis out of range or named twice is an error.
func AxisMask(axes []int64, rank int) ([]bool, error) {
	mask := make([]bool, rank)
	for _, a := range axes {
		i, err := Axis(a, rank)
		if err != nil {
			return nil, err
		}
		if mask[i] {
			return nil, onnx.Invalidf("axis %d is named twice in %v", i, axes)
		}
		mask[i] = true
	}
	return mask, nil
}

// Strides are the row-major strides of shape, in elements.
func Strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// BroadcastStrides are the strides by which a tensor of shape is read when it is broadcast to out: 0 along repeated axes.
// shape must broadcast to out.
func BroadcastStrides(shape, out []int) []int {
	s := make([]int, len(out))
	off, n := len(out)-len(shape), 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 || out[off+i] == 1 {
			s[off+i] = n
		}
		n *= shape[i]
	}
	return s
}

// BroadcastShape is the shape that numpy's broadcasting gives for known shapes.
func BroadcastShape(shapes ...[]int) ([]int, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make([]int, rank)
	for i := range out {
		out[i] = 1
	}
	for _, s := range shapes {
		for i, d := range s {
			o := &out[rank-len(s)+i]
			switch {
			case *o == d || d == 1:
			case *o == 1:
				*o = d
			default:
				return nil, onnx.Invalidf("shapes %v do not broadcast", shapes)
			}
		}
	}
	return out, nil
}
