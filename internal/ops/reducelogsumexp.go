package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ReduceLogSumExp: log(sum(exp(x))), without overflow.
// The axes are input 1; without it all axes are reduced, or none if noop_with_empty_axes is set.
//
// Opset 11: negative axes. 13: types. 18: the attribute axes becomes an input. 28: types.
var opReduceLogSumExp = opdef.Def{
	Type:    "ReduceLogSumExp",
	Infer:   inferReduce(nil),
	Compile: compileReduceLogSumExp,
	Upgrade: axesToInput(18),
	Grad: spreading(func(f formula, x, y, dy *onnx.Value, up func(*onnx.Value) *onnx.Value) *onnx.Value {
		return f.mul(up(dy), f.one("Exp", f.sub(x, up(f.where(f.one("IsInf", y), f.num(0), y)))))
	}),
}

func compileReduceLogSumExp(c *opdef.Compile) (opdef.Step, error) {
	switch e := c.Elem(0); e {
	case onnx.Float32:
		return logSumExpStep[float32](nil), nil
	case onnx.Float64:
		return logSumExpStep[float64](nil), nil
	case onnx.Float16, onnx.BFloat16:
		return logSumExpStep(halfCodec(e)), nil
	default:
		if codec := wholeCodecOf(e); codec != nil {
			return logSumExpStep(codec), nil
		}
		return opdef.Step{}, badElem(e)
	}
}
