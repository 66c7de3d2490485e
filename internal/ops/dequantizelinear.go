package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// DequantizeLinear: y = (x - x_zero_point)·x_scale. There is one scale, one for each element of an axis, or one for each block
// of an axis.
//
// Opset 13: axis. 19: 8-bit floats. 21: block_size, 4 and 16 bits. 23: output_dtype. 25, 28: 2 and 6 bits. The product is rounded to
// float32, or for float64 to that, and then to the type of y. There is no gradient.
var opDequantizeLinear = opdef.Def{
	Type:    "DequantizeLinear",
	Infer:   func(c *opdef.Infer) error { return c.LikeElem(0, 0, dequantizedElem(c.Node, c.Elem(1))) },
	Compile: compileDequantize,
	Grad:    opdef.NoGrad,
}

// dequantizedElem is the type of the output: output_dtype, else that of the scale.
func dequantizedElem(n *onnx.Node, scale onnx.ElemType) onnx.ElemType {
	if n.Int("output_dtype", 0) != 0 {
		scale, _ = dtypeAttr(n, "output_dtype", scale)
	} else if scale == onnx.Float8E8M0 {
		return onnx.Float32
	}
	return scale
}

func compileDequantize(c *opdef.Compile) (opdef.Step, error) {
	to := dequantizedElem(c.Node, c.Elem(1))
	if !to.IsFloat() {
		return opdef.Step{}, badElem(to)
	}
	round := roundedTo(onnx.Float32)
	if to == onnx.Float64 {
		round = roundedTo(to)
	}
	return quantStep(c, to, func(q *quantizer, p *parts, lo int, v []float64) {
		for i, x := range v {
			at := p.at(lo + i)
			if q.zero != nil {
				x -= q.zero[at%len(q.zero)]
			}
			v[i] = round(round(x) * q.scale[at])
		}
	})
}
