package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Lanes of a blocked tensor without a channel hold finite numbers of no meaning, and must stay finite, since kernels may
// multiply them by zero. So operators whose result may not be finite where inputs are go on with whole blocks only.

// maxInLanes bounds the constants that lanes without a channel may meet.
const maxInLanes = 1e6

// wholeBlocks reports whether every lane of v, which may be blocked, has a channel.
func wholeBlocks(v *onnx.Value) bool { return opdef.Channels(v)%blocked.Lanes == 0 }

// mapLayouts is the Layouts of a function of one number that is finite where its argument is. Further inputs are numbers.
func mapLayouts(c *opdef.Layouts) opdef.Blocking {
	x := c.Node.In(0)
	if !opdef.CanBlock(x) || !opdef.CanBlock(c.Node.Out(0)) {
		return opdef.Blocking{}
	}
	for _, v := range c.Node.Inputs()[1:] {
		if v != nil && !wholeBlocks(x) && !isSmall(c.Const(v)) {
			return opdef.Blocking{}
		}
	}
	return opdef.Blocking{In: []int{0}, Out: []int{0}}
}

// isSmall reports whether t is one number that lanes without a channel may meet; the result of nil is false.
func isSmall(t *onnx.Tensor) bool {
	return t != nil && t.Elem == onnx.Float32 && t.Len() == 1 && math.Abs(float64(onnx.Data[float32](t)[0])) <= maxInLanes
}

// mapWholeLayouts is mapLayouts for functions that may make infinities or NaN of numbers.
func mapWholeLayouts(c *opdef.Layouts) opdef.Blocking {
	if x := c.Node.In(0); !opdef.CanBlock(x) || !wholeBlocks(x) {
		return opdef.Blocking{}
	}
	return mapLayouts(c)
}

// broadcastLayouts is the Layouts of a function of the numbers at one place, after broadcasting: of tensors of one number of
// channels, single numbers, and constants that do not differ from sample to sample.
func broadcastLayouts(c *opdef.Layouts) (b opdef.Blocking) {
	y := c.Node.Out(0)
	if !opdef.CanBlock(y) {
		return b
	}
	for i, v := range c.Node.Inputs() {
		switch {
		case v == nil:
			return opdef.Blocking{}
		case isSingle(v):
			if !wholeBlocks(y) && !isSmall(c.Const(v)) {
				return opdef.Blocking{}
			}
		case c.Const(v) != nil:
			if !fitsBlocks(c.Const(v), y) {
				return opdef.Blocking{}
			}
		case !opdef.CanBlock(v) || v.Type.Rank() != y.Type.Rank() || opdef.Channels(v) != opdef.Channels(y):
			return opdef.Blocking{}
		default:
			b.In = append(b.In, i)
		}
	}
	b.Out = []int{0}
	return b
}

// broadcastWholeLayouts is broadcastLayouts for functions that may make infinities or NaN of numbers.
func broadcastWholeLayouts(c *opdef.Layouts) opdef.Blocking {
	if y := c.Node.Out(0); !opdef.CanBlock(y) || !wholeBlocks(y) {
		return opdef.Blocking{}
	}
	return broadcastLayouts(c)
}

// isSingle reports whether v is known to be one number.
func isSingle(v *onnx.Value) bool {
	for _, d := range v.Type.Shape {
		if d != onnx.Fixed(1) {
			return false
		}
	}
	return v.Type.Ranked
}

// fitsBlocks reports whether t, a constant, can be laid out in the blocks of y: it has y's channels.
func fitsBlocks(t *onnx.Tensor, y *onnx.Value) bool {
	at := len(t.Shape) - y.Type.Rank() + 1 // axis of the channels
	return at >= 0 && at <= 1 && int64(t.Shape[at]) == opdef.Channels(y) && t.Elem == onnx.Float32
}

// operand is a constant operand laid out in blocks.
type operand struct {
	data  []float32
	shape []int // in memory
}

// blockedOperands lays out in blocks the constant inputs of a pointwise node with a blocked result; entries for other inputs
// and single numbers are nil.
func blockedOperands(c *opdef.Compile) []*operand {
	if c.OutLayout[0] != opdef.Blocked {
		return nil
	}
	ops := make([]*operand, c.Node.NumIn())
	for i := range ops {
		if t := c.Const(i); t != nil && t.Elem == onnx.Float32 && t.Len() > 1 {
			ops[i] = blockedOperand(t, c.Node.Out(0).Type.Rank())
		}
	}
	return ops
}

func blockedOperand(t *onnx.Tensor, rank int) *operand {
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = 1
	}
	copy(shape[rank-len(t.Shape):], t.Shape)
	pixels := product(shape[2:])
	o := &operand{data: make([]float32, blocked.Len(shape[0], shape[1], pixels)), shape: opdef.Physical(nil, opdef.Blocked, shape)}
	blocked.Pack(nil, o.data, onnx.Data[float32](t), shape[0], shape[1], pixels)
	return o
}
