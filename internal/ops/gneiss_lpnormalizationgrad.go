package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LpNormalizationGrad: dx for dy and the input x of LpNormalization along the attribute axis: with n the norm and g its
// gradient, dx = (dy - g·Σ dy·x/n)/n; zeros where the norm is 0.
var opLpNormalizationGrad = opdef.Def{
	Type:   "LpNormalizationGrad",
	Domain: onnx.Private,
	Schema: private(2, 1),
	Infer:  inferLines,
	Grad:   opdef.NoGrad,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		p, err := lpOf(c.Node)
		if err != nil {
			return opdef.Step{}, err
		}
		return lineFloats(2, lpGradLine[float32](p), lpGradLine[float64](p))(c)
	},
}

func lpGradLine[T float](p int64) func(dx []T, x [][]T) {
	return func(dx []T, x [][]T) {
		dy, x0 := x[0], x[1]
		n := lpNorm(p, x0)
		if n == 0 {
			clear(dx)
			return
		}
		dot := reduce.Dot(dy, x0) / n
		for i, v := range x0 {
			g := v / n
			if p == 1 {
				g = signOf(v)
			}
			dx[i] = (dy[i] - g*dot) / n
		}
	}
}

// signOf is 1, -1 or 0.
func signOf[T float](v T) T {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return v
}
