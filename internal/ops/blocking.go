package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/parallel"
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

// byPixels compiles op; where operands are blocked and one has a single pixel for each channel, as gates of channels do, it is
// computed by pixels, which is blocked.MulPixels or the like.
func byPixels(op vec.Op, pixels func(team *parallel.Team, y, x, s []float32, n, channels, pixels int)) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		s, err := arith(op)(c)
		if err != nil || c.OutLayout[0] != opdef.Blocked {
			return s, err
		}
		general, constants := s.Run, blockedOperands(c)
		s.Run = func(r *opdef.Run) error {
			y := r.Out[0]
			for i, x := range r.In {
				gate := gateOf(constants[1-i], r.In[1-i], y)
				if gate != nil && x.Layout == opdef.Blocked && slices.Equal(x.Shape, y.Shape) {
					pixels(r.Team, opdef.Of[float32](y), opdef.Of[float32](x), gate, y.Shape[0], y.Shape[1], product(y.Shape[2:]))
					return nil
				}
			}
			return general(r)
		}
		return s, nil
	}
}

// gateOf is the elements of an operand that has one for each channel of y, for one sample or for each; nil for others. A
// constant is laid out in blocks already.
func gateOf(constant *operand, g, y opdef.View) []float32 {
	if constant != nil {
		if len(constant.data) == blocked.Len(1, y.Shape[1], 1) && constant.shape[1] > 0 {
			return constant.data
		}
		return nil
	}
	if g.Layout != opdef.Blocked || len(g.Shape) != len(y.Shape) || product(g.Shape[2:]) != 1 || len(g.Data) == 0 ||
		g.Shape[0] != 1 && g.Shape[0] != y.Shape[0] {
		return nil
	}
	return opdef.Of[float32](g)
}
