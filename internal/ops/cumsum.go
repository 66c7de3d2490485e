package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// CumSum: the sums of the elements up to each one along an axis, which is input 1; without it if exclusive is set, and from
// the end if reverse is set. Integers wrap.
//
// Opset 11: new. 14: types.
var opCumSum = opdef.Def{
	Type:    "CumSum",
	Infer:   opdef.SameAsFirst,
	Compile: compileCumSum,
	Grad:    gradCumSum,
}

// gradCumSum is the same sum in the other direction.
func gradCumSum(c *opdef.Grad) error {
	n := c.Node
	back := onnx.Int("reverse", 0)
	if n.Int("reverse", 0) == 0 {
		back.I = 1
	}
	c.SetDX(0, c.Op("CumSum", values{c.DY(0), c.In(1)}, onnx.Int("exclusive", n.Int("exclusive", 0)), back))
	return nil
}

func compileCumSum(c *opdef.Compile) (opdef.Step, error) {
	switch e := c.Elem(0); e {
	case onnx.Float32:
		return cumStep(c, nil, cumSum[float32]), nil
	case onnx.Float64:
		return cumStep(c, nil, cumSum[float64]), nil
	case onnx.Float16, onnx.BFloat16:
		return cumStep(c, halfCodec(e), cumSum[float32]), nil
	case onnx.Int64:
		return cumStep(c, nil, cumSum[int64]), nil
	case onnx.Int32:
		return cumStep(c, nil, cumSum[int32]), nil
	case onnx.Uint64:
		return cumStep(c, nil, cumSum[uint64]), nil
	case onnx.Uint32:
		return cumStep(c, nil, cumSum[uint32]), nil
	default:
		return opdef.Step{}, badElem(e)
	}
}

// cumStep is the step of an operator that passes along lines.
func cumStep[T real](c *opdef.Compile, codec *codec[T], f func(y, x []T, exclusive bool)) opdef.Step {
	exclusive, reverse := c.Node.Int("exclusive", 0) != 0, c.Node.Int("reverse", 0) != 0
	line := func(y []T, x [][]T) {
		if !reverse {
			f(y, x[0], exclusive)
			return
		}
		copy(y, x[0])
		slices.Reverse(y)
		f(y, y, exclusive)
		slices.Reverse(y)
	}
	return lineStep(1, line, codec, inputAxis)
}

func cumSum[T real](y, x []T, exclusive bool) {
	var sum T
	for i, v := range x {
		if exclusive {
			y[i] = sum
		}
		sum += v
		if !exclusive {
			y[i] = sum
		}
	}
}

// inputAxis is the axis in input 1, a scalar or a list of one.
func inputAxis(r *opdef.Run, rank int) (int, error) {
	v := r.In[1]
	if v.Len() != 1 {
		return 0, onnx.Invalidf("axis: expected one integer, received shape %v", v.Shape)
	}
	if v.Elem == onnx.Int32 {
		return opdef.Axis(int64(opdef.Of[int32](v)[0]), rank)
	}
	return opdef.Axis(opdef.Of[int64](v)[0], rank)
}
