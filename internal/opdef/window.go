package opdef

import (
	"math"

	"github.com/gneiss-ml/gneiss/onnx"
)

// Window is how a kernel slides over the spatial axes of an image, as the attributes kernel_shape, strides, dilations, pads,
// auto_pad and ceil_mode say.
type Window struct {
	Kernel, Strides, Dilations []int
	Pads                       []int // before each axis, then behind each axis; as given: Auto is not yet applied
	Auto                       AutoPad
	Ceil                       bool // ceil_mode
}

// AutoPad is the attribute auto_pad.
type AutoPad uint8

// Values of auto_pad.
const (
	NotSet AutoPad = iota
	Valid
	SameUpper
	SameLower
)

// maxWindow bounds what the attributes of a window may say, so that sums and products of a few fit an int everywhere.
const maxWindow = math.MaxInt32 / 4

// WindowOf reads a window over rank spatial axes from n's attributes. kernel is used where n has no kernel_shape and may be
// nil when it must.
func WindowOf(n *onnx.Node, rank int, kernel []int) (*Window, error) {
	w := &Window{Ceil: n.Int("ceil_mode", 0) != 0}
	var err error
	if given, ok := n.Ints("kernel_shape"); ok {
		if kernel, err = windowList("kernel_shape", given, rank, 1); err != nil {
			return nil, err
		}
	}
	if len(kernel) != rank {
		return nil, onnx.Invalidf("expected a kernel_shape for %d spatial axes, received %v", rank, kernel)
	}
	w.Kernel = kernel
	for _, a := range []struct {
		name       string
		to         *[]int
		n, def, at int
	}{{"strides", &w.Strides, rank, 1, 1}, {"dilations", &w.Dilations, rank, 1, 1}, {"pads", &w.Pads, 2 * rank, 0, 0}} {
		given, ok := n.Ints(a.name)
		if !ok {
			given = make([]int64, a.n)
			for i := range given {
				given[i] = int64(a.def)
			}
		}
		if *a.to, err = windowList(a.name, given, a.n, int64(a.at)); err != nil {
			return nil, err
		}
	}
	w.Auto, err = autoPad(n.Str("auto_pad", "NOTSET"))
	return w, err
}

func windowList(name string, given []int64, n int, least int64) ([]int, error) {
	if len(given) != n {
		return nil, onnx.Invalidf("attribute %s: expected %d entries, received %v", name, n, given)
	}
	out := make([]int, n)
	for i, v := range given {
		if v < least || v > maxWindow {
			return nil, onnx.Invalidf("attribute %s: expected entries of at least %d, received %v", name, least, given)
		}
		out[i] = int(v)
	}
	return out, nil
}

func autoPad(s string) (AutoPad, error) {
	switch s {
	case "NOTSET", "":
		return NotSet, nil
	case "VALID":
		return Valid, nil
	case "SAME_UPPER":
		return SameUpper, nil
	case "SAME_LOWER":
		return SameLower, nil
	}
	return NotSet, onnx.Invalidf("attribute auto_pad: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, received %.32q", s)
}

// span is the pixels that the kernel covers along an axis.
func (w *Window) span(axis int) int { return w.Dilations[axis]*(w.Kernel[axis]-1) + 1 }

// Place is the output size and the padding before and behind along one axis of the given size. It is an error if the kernel
// does not fit.
func (w *Window) Place(axis, in int) (out, before, behind int, err error) {
	span, stride := w.span(axis), w.Strides[axis]
	if in > maxWindow || span > maxWindow {
		return 0, 0, 0, onnx.Invalidf("spatial axis %d: size %d or kernel span %d is too large", axis, in, span)
	}
	switch w.Auto {
	case NotSet:
		before, behind = w.Pads[axis], w.Pads[len(w.Kernel)+axis]
	case SameUpper, SameLower:
		out = (in + stride - 1) / stride
		total := max((out-1)*stride+span-in, 0)
		before, behind = total/2, total-total/2
		if w.Auto == SameLower {
			before, behind = behind, before
		}
		return out, before, behind, nil
	}
	room := in + before + behind - span
	if room < 0 {
		return 0, 0, 0, onnx.Invalidf("spatial axis %d: a kernel that spans %d does not fit into %d with padding %d and %d", axis, span, in, before, behind)
	}
	out = room/stride + 1
	if w.Ceil && room%stride != 0 && out*stride < in+before {
		out++ // a window that starts in the padding behind is left out
	}
	return out, before, behind, nil
}

// Out are the output's spatial dims for an input's: unknown ones stay unknown unless the window keeps sizes.
func (w *Window) Out(in []onnx.Dim) ([]onnx.Dim, error) {
	out := make([]onnx.Dim, len(in))
	for i, d := range in {
		switch {
		case d.IsFixed():
			if d.N > maxWindow {
				return nil, onnx.Invalidf("spatial axis %d: size %d is too large", i, d.N)
			}
			n, _, _, err := w.Place(i, int(d.N))
			if err != nil {
				return nil, err
			}
			out[i] = onnx.Fixed(n)
		case w.keeps(i):
			out[i] = d
		default:
			out[i] = onnx.Unknown
		}
	}
	return out, nil
}

// keeps reports whether the output has the input's size along an axis, whatever that is.
func (w *Window) keeps(axis int) bool {
	if w.Strides[axis] != 1 {
		return false
	}
	switch w.Auto {
	case SameUpper, SameLower:
		return true
	case Valid:
		return w.span(axis) == 1
	}
	return w.Pads[axis]+w.Pads[len(w.Kernel)+axis] == w.span(axis)-1
}

// PadsFor are the pads for an input of the given spatial sizes, with Auto applied.
func (w *Window) PadsFor(in []int) ([]int, error) {
	pads := make([]int, 2*len(in))
	for i, n := range in {
		_, before, behind, err := w.Place(i, n)
		if err != nil {
			return nil, err
		}
		pads[i], pads[len(in)+i] = before, behind
	}
	return pads, nil
}
