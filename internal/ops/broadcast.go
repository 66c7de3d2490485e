package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// axis is one axis of a walk over a tensor: how many steps, and how far apart in elements (0: the same elements again).
type axis struct{ size, stride int }

// broadcastAxes appends to to the axes by which a tensor of shape is read when it is broadcast to out, outermost first, as
// few as possible: axes of size 1 are left out and neighbours that continue each other are one.
func broadcastAxes(to []axis, shape, out []int) []axis {
	off, stride := len(out)-len(shape), 1
	for i := len(out) - 1; i >= 0; i-- {
		a := axis{size: out[i]}
		if i >= off {
			if shape[i-off] != 1 {
				a.stride = stride
			}
			stride *= shape[i-off]
		}
		if a.size == 1 {
			continue
		}
		if n := len(to); n > 0 && a.stride == to[n-1].stride*to[n-1].size && (a.stride == 0) == (to[n-1].stride == 0) {
			to[n-1].size *= a.size
			continue
		}
		to = append(to, a)
	}
	for i, j := 0, len(to)-1; i < j; i, j = i+1, j-1 {
		to[i], to[j] = to[j], to[i]
	}
	return to
}

// isFlat reports whether a walk visits the elements one after the other.
func isFlat(axes []axis) bool { return len(axes) == 0 || len(axes) == 1 && axes[0].stride == 1 }

// gather fills dst with the elements number lo, lo+1, ... of a walk over src.
func gather[T any](dst, src []T, axes []axis, lo int) {
	last := axes[len(axes)-1]
	for len(dst) > 0 {
		row, col := lo/last.size, lo%last.size
		at := col * last.stride
		for i := len(axes) - 2; i >= 0; i-- {
			at += row % axes[i].size * axes[i].stride
			row /= axes[i].size
		}
		n := min(last.size-col, len(dst))
		switch last.stride {
		case 0:
			for i := range dst[:n] {
				dst[i] = src[at]
			}
		case 1:
			copy(dst[:n], src[at:at+n])
		default:
			for i := range dst[:n] {
				dst[i] = src[at+i*last.stride]
			}
		}
		dst, lo = dst[n:], lo+n
	}
}

// source reads a tensor as if it were broadcast to the shape of an output. 16-bit floating-point elements are widened to T,
// which is float32 for them.
type source[T any] struct {
	data  []T
	half  []uint16
	widen func(dst []T, src []uint16)
	shape []int // in memory
	axes  []axis
	flat  bool
}

// newSource makes a source; half is not nil where elements are 16 bits, which T = float32 computes.
func newSource[T any](half *format) (s source[T]) {
	if half != nil {
		s.widen, _ = any(half.widen).(func(dst []T, src []uint16))
	}
	return s
}

// open points s at v, broadcast to out, the sizes in memory.
func open[T onnx.Number](s *source[T], v *opdef.View, out []int) {
	if s.widen != nil {
		s.half = onnx.View[uint16](v.Data)
	} else {
		s.data = onnx.View[T](v.Data)
	}
	s.shape = opdef.Physical(s.shape[:0], v.Layout, v.Shape)
	s.axes = broadcastAxes(s.axes[:0], s.shape, out)
	s.flat = isFlat(s.axes)
}

// set is open for elements that are at hand.
func (s *source[T]) set(data []T, shape, out []int) {
	s.data, s.axes = data, broadcastAxes(s.axes[:0], shape, out)
	s.flat = isFlat(s.axes)
}

// direct reports whether read needs no buffer.
func (s *source[T]) direct() bool { return s.flat && s.widen == nil }

// read is the elements number lo to lo+len(buf); they are in buf, or in the tensor itself when it need not be copied.
func (s *source[T]) read(buf []T, raw []uint16, lo int) []T {
	n := len(buf)
	switch {
	case s.direct():
		return s.data[lo : lo+n]
	case s.flat:
		s.widen(buf, s.half[lo:lo+n])
	case s.widen == nil:
		gather(buf, s.data, s.axes, lo)
	default:
		gather(raw[:n], s.half, s.axes, lo)
		s.widen(buf, raw[:n])
	}
	return buf
}
