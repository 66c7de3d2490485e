package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// QuantizeLinear: y = saturate(round(x / y_scale) + y_zero_point), halves to even; 8-bit and smaller floats are cast instead. There
// is one scale, one for each element of an axis, or one for each block of an axis.
//
// Opset 13: axis. 19: 8-bit floats, saturate. 21: block_size, output_dtype, 4 and 16 bits. 23: precision, the type that the
// division is rounded to (default: that of y_scale). 25, 28: 2 and 6 bits. NaN gives the zero point. There is no gradient.
var opQuantizeLinear = opdef.Def{
	Type:    "QuantizeLinear",
	Infer:   func(c *opdef.Infer) error { return c.LikeElem(0, 0, quantizedElem(c.Node, c.Elem(2))) },
	Compile: compileQuantize,
	Grad:    opdef.NoGrad,
}

// quantizedElem is the type of the output: that of the zero point, else output_dtype, else uint8.
func quantizedElem(n *onnx.Node, zero onnx.ElemType) onnx.ElemType {
	if zero != onnx.Undefined {
		return zero
	}
	if n.Int("output_dtype", 0) == 0 {
		return onnx.Uint8
	}
	e, _ := dtypeAttr(n, "output_dtype", onnx.Uint8)
	return e
}

func compileQuantize(c *opdef.Compile) (opdef.Step, error) {
	to := quantizedElem(c.Node, c.Elem(2))
	precision := onnx.ElemType(c.Node.Int("precision", 0))
	if precision == onnx.Undefined {
		if precision = c.Elem(1); !precision.IsFloat() {
			precision = onnx.Float32
		}
	}
	if s, ok := byteScale(c, to); ok && precision == onnx.Float32 {
		return quantizeBytes(s), nil
	}
	round := roundedTo(precision)
	if familyOf(to) == wideFloat {
		return quantStep(c, to, func(q *quantizer, p *parts, lo int, v []float64) {
			for i, x := range v {
				v[i] = round(x / q.scale[p.at(lo+i)])
				if q.zero != nil {
					v[i] += q.zero[p.at(lo+i)%len(q.zero)]
				}
			}
		})
	}
	least, most := integerRange(to)
	return quantStep(c, to, func(q *quantizer, p *parts, lo int, v []float64) {
		for i, x := range v {
			at, zero := p.at(lo+i), 0.0
			if q.zero != nil {
				zero = q.zero[at%len(q.zero)]
			}
			y := math.RoundToEven(round(x / q.scale[at]))
			if y != y {
				y = 0
			}
			v[i] = saturated(y+zero, least, most)
		}
	})
}

// byteScale is the constant scale with which float32 becomes uint8, for the fast kernel.
func byteScale(c *opdef.Compile, to onnx.ElemType) (s blocked.Scale, ok bool) {
	step, zero := c.Const(1), c.Const(2)
	if c.Generic || to != onnx.Uint8 || c.Elem(0) != onnx.Float32 || step == nil || step.Elem != onnx.Float32 || len(step.Shape) > 0 ||
		c.Node.In(2) != nil && (zero == nil || len(zero.Shape) > 0) || c.Node.Int("block_size", 0) != 0 {
		return s, false
	}
	s.Step = onnx.Data[float32](step)[0]
	if zero != nil {
		s.Zero = onnx.Data[uint8](zero)[0]
	}
	return s, true
}

func quantizeBytes(s blocked.Scale) opdef.Step {
	return opdef.Step{
		State: func() any { return new(blocked.ByteRounding) },
		Run: func(r *opdef.Run) error {
			r.State.(*blocked.ByteRounding).Run(r.Team, nil, r.Out[0].Data, opdef.Of[float32](r.In[0]), s)
			return nil
		},
	}
}
