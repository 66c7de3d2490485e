package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// MeanVarianceNormalization: y = (x - mean)/(deviation + 1e-9) over the attribute axes (default 0, 2, 3), where the deviation is
// the root of the population variance. Both are computed in float64.
//
// Opset 13: types.
var opMeanVarianceNormalization = opdef.Def{
	Type: "MeanVarianceNormalization",
	Infer: func(c *opdef.Infer) error {
		if s, err := c.Shape(0); err == nil {
			if _, err := varianceAxes(c.Node, len(s)); err != nil {
				return err
			}
		}
		return c.Like(0, 0)
	},
	Compile: floatKernel(0, varianceStep[float32], varianceStep[float64]),
	Grad:    gradMeanVariance,
}

// gradMeanVariance: dx = (dy - mean(dy) - y·mean(dy·y))/deviation.
func gradMeanVariance(c *opdef.Grad) error {
	f, axes := formula{c}, []int64{0, 2, 3}
	if list, ok := c.Node.Ints("axes"); ok {
		axes = list
	}
	mean := func(v *onnx.Value) *onnx.Value { return c.Op("ReduceMean", values{v, axesConst(c, axes...)}) }
	x, dy, y := c.In(0), c.DY(0), c.Y(0)
	deviation := f.add(f.one("Sqrt", mean(f.square(f.sub(x, mean(x))))), f.num(1e-9))
	c.SetDX(0, f.div(f.sub(f.sub(dy, mean(dy)), f.mul(y, mean(f.mul(dy, y)))), deviation))
	return nil
}

// varianceAxes says of each axis whether it is normalised over.
func varianceAxes(n *onnx.Node, rank int) ([]bool, error) {
	axes, ok := n.Ints("axes")
	if !ok {
		axes = []int64{0, 2, 3}
	}
	over := make([]bool, rank)
	for _, a := range axes {
		i, err := opdef.Axis(a, rank)
		if err != nil {
			return nil, err
		}
		over[i] = true
	}
	return over, nil
}

func varianceStep[T float](*opdef.Compile) (opdef.Step, error) {
	return opdef.Step{Run: func(r *opdef.Run) error {
		shape := r.In[0].Shape
		over, err := varianceAxes(r.Node, len(shape))
		if err != nil {
			return err
		}
		// Inner: the axes that are normalised over, outer: the others; both with sizes and strides.
		var inner, outer, innerStep, outerStep []int
		for i, step := len(shape)-1, 1; i >= 0; i-- {
			if over[i] {
				inner, innerStep = append(inner, shape[i]), append(innerStep, step)
			} else {
				outer, outerStep = append(outer, shape[i]), append(outerStep, step)
			}
			step *= shape[i]
		}
		x, y := opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0])
		if len(x) == 0 {
			return nil
		}
		r.Team.DoFunc(product(outer), func(k int) {
			normalise(y, x, offsetOf(k, outer, outerStep), inner, innerStep)
		})
		return nil
	}}, nil
}

// offsetOf is the offset of element k of a box, the first axis being the fastest.
func offsetOf(k int, box, steps []int) int {
	at := 0
	for i, n := range box {
		at += k % n * steps[i]
		k /= n
	}
	return at
}

// normalise normalises the elements of a box that starts at offset at.
func normalise[T float](y, x []T, at int, box, steps []int) {
	count := product(box)
	sum := 0.0
	for k := range count {
		sum += float64(x[at+offsetOf(k, box, steps)])
	}
	mean, squares := sum/float64(count), 0.0
	for k := range count {
		d := float64(x[at+offsetOf(k, box, steps)]) - mean
		squares += float64(d * d)
	}
	deviation := math.Sqrt(squares/float64(count)) + 1e-9
	for k := range count {
		i := at + offsetOf(k, box, steps)
		y[i] = T((float64(x[i]) - mean) / deviation)
	}
}
