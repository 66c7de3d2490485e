package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/onnx"
)

// ai.onnx.preview.training.Adagrad: h grows by g^2, x falls by r/(1 + t*decay_factor) * g / (sqrt(h) + epsilon), where g has
// norm_coefficient*x added.
var opPreviewAdagrad = previewOptimizer("Adagrad", 1, func(n *onnx.Node, r float64, t int64) (func(x, g float64, s []float64) float64, error) {
	norm, epsilon := realAttr(n, "norm_coefficient", 0), realAttr(n, "epsilon", 1e-6)
	rate := r / (1 + float64(float64(t)*realAttr(n, "decay_factor", 0)))
	return func(x, g float64, s []float64) float64 {
		g += float64(norm * x)
		s[0] += float64(g * g)
		return x - rate*g/(math.Sqrt(s[0])+epsilon)
	}, nil
})
