package opdef

import "github.com/gneiss-ml/gneiss/onnx"

// Layout is how a tensor lies in memory. Shapes stay logical (NCHW) whatever the layout.
type Layout uint8

// Layouts of a tensor.
const (
	// Plain is row-major.
	Plain Layout = iota
	// Blocked has blocks of 16 channels, [N, C/16, spatial..., 16], as package blocked describes it: float32 or uint8 of rank 3 or 4.
	Blocked
)

// lanes is the channels of a block.
const lanes = 16

// Layouts is the context of Def.Layouts: a node whose inputs' producers have been asked already.
type Layouts struct {
	Node *onnx.Node
	// Blocked reports whether v is blocked so far.
	Blocked func(v *onnx.Value) bool
	// Const is the contents of v when nothing ever changes them; nil otherwise.
	Const func(v *onnx.Value) *onnx.Tensor
}

// Blocking is what a node could do with blocked tensors. Without In and Out it can do nothing.
type Blocking struct {
	// Gain is the time that the node saves when it is blocked, in elements that a change of layout moves in that time, for one
	// sample. A node with 0 starts no region; it only continues one.
	Gain float64
	// In and Out are the inputs and outputs that are blocked then. Others are plain.
	In, Out []int
}

// CanBlock reports whether v, a result or an input, may be blocked: float32 of rank 3 or 4 with a known number of channels.
func CanBlock(v *onnx.Value) bool { return canBlock(v, onnx.Float32) }

// CanBlockBytes is CanBlock for uint8.
func CanBlockBytes(v *onnx.Value) bool { return canBlock(v, onnx.Uint8) }

func canBlock(v *onnx.Value, e onnx.ElemType) bool {
	if v == nil || !v.Type.IsTensor() || v.Type.Elem != e {
		return false
	}
	r := v.Type.Rank()
	return (r == 3 || r == 4) && v.Type.Shape[1].IsFixed() && v.Type.Shape[1].N > 0
}

// Channels is axis 1 of a value that can be blocked.
func Channels(v *onnx.Value) int64 { return v.Type.Shape[1].N }

// Physical appends to s the sizes of a tensor of the given shape as it lies in memory: a blocked one has the axis of the
// lanes for its last.
func Physical(s []int, l Layout, shape []int) []int {
	s = append(s, shape...)
	if l == Blocked && len(shape) >= 2 {
		at := len(s) - len(shape)
		s[at+1] = (s[at+1] + lanes - 1) / lanes
		s = append(s, lanes)
	}
	return s
}

// NumElements is the number of elements of a tensor in memory, lanes without a channel included; ok is false when it does not
// fit an int.
func NumElements(l Layout, shape []int) (n int, ok bool) {
	var s [8]int
	if l == Plain {
		return onnx.NumElements(shape)
	}
	if len(shape) < 2 || len(shape) > len(s)-1 || shape[1] > maxWindow {
		return 0, false
	}
	return onnx.NumElements(Physical(s[:0], l, shape))
}
