package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ReduceMean: the mean. Integers are cut toward zero.
// The axes are input 1; without it all axes are reduced, or none if noop_with_empty_axes is set.
//
// Opset 11: negative axes. 13: types. 18: the attribute axes becomes an input.
var opReduceMean = opdef.Def{
	Type:    "ReduceMean",
	Infer:   inferReduce(nil),
	Compile: orBlocked(blockedAverage, compileReduceMean),
	Layouts: reduceMeanLayouts,
	Upgrade: axesToInput(18),
	Grad:    gradReduceMean,
}

func gradReduceMean(c *opdef.Grad) error {
	f := formula{c}
	size := func(v *onnx.Value) *onnx.Value {
		return f.one("Cast", f.one("Size", v), onnx.Int("to", int64(c.In(0).Type.Elem)))
	}
	c.SetDX(0, unreduce(c, f.div(c.DY(0), f.div(size(c.In(0)), size(c.Y(0))))))
	return nil
}

func compileReduceMean(c *opdef.Compile) (opdef.Step, error) {
	if s, ok := reduceFloats(c, reduce.Sum, mean[float32], mean[float64]); ok {
		return s, nil
	}
	switch e := c.Elem(0); e {
	case onnx.Int64:
		return reduceStep(reduce.Sum, mean[int64], nil), nil
	case onnx.Int32:
		return reduceStep(reduce.Sum, mean[int32], nil), nil
	case onnx.Uint64:
		return reduceStep(reduce.Sum, mean[uint64], nil), nil
	case onnx.Uint32:
		return reduceStep(reduce.Sum, mean[uint32], nil), nil
	default:
		return opdef.Step{}, badElem(e)
	}
}

// mean of no integers is 0, of no floats NaN.
func mean[T real](sum T, count int) T {
	n := T(count)
	if one := T(1); n == 0 && one/2 == 0 {
		return 0
	}
	return sum / n
}
