package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// DynamicQuantizeLinear quantizes to uint8 with the scale (max - min)/255 and the zero point round(-min/scale), where the range
// from min to max contains 0; halves round to even. An input of zeros alone has scale 0 and gives zeros.
//
// One version, of opset 11. There is no gradient.
var opDynamicQuantizeLinear = opdef.Def{
	Type: "DynamicQuantizeLinear",
	Infer: func(c *opdef.Infer) error {
		c.Set(1, onnx.Float32)
		c.Set(2, onnx.Uint8)
		return c.LikeElem(0, 0, onnx.Uint8)
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		if c.Elem(0) != onnx.Float32 {
			return opdef.Step{}, badElem(c.Elem(0))
		}
		return opdef.Step{Run: runDynamicQuantize}, nil
	},
	Grad: opdef.NoGrad,
}

func runDynamicQuantize(r *opdef.Run) error {
	x := opdef.Of[float32](r.In[0])
	scale, zero := dynamicRange(x)
	if r.Wants(1) {
		opdef.Of[float32](r.Out[1])[0] = scale
	}
	if r.Wants(2) {
		opdef.Of[uint8](r.Out[2])[0] = zero
	}
	if !r.Wants(0) {
		return nil
	}
	y := opdef.Of[uint8](r.Out[0])
	const block = 1 << 14
	r.Team.DoFunc((len(x)+block-1)/block, func(k int) {
		for i := k * block; i < min((k+1)*block, len(x)); i++ {
			v := math.RoundToEven(float64(x[i] / scale))
			if v != v {
				v = 0
			}
			y[i] = uint8(saturated(v+float64(zero), 0, 255))
		}
	})
	return nil
}

// dynamicRange is the scale and the zero point for x. A NaN makes the scale one.
func dynamicRange(x []float32) (scale float32, zero uint8) {
	var low, high float32
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	scale = (high - low) / 255
	point := math.RoundToEven(float64(min(max(0-low/scale, 0), 255)))
	if point != point {
		return scale, 0
	}
	return scale, uint8(point)
}
