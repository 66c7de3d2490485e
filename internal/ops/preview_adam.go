package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/onnx"
)

// ai.onnx.preview.training.Adam: v and h are running means of g and g^2 with the factors alpha and beta; x falls by
// r * v / (sqrt(h) + epsilon), where r is corrected for their start when t is above 0. g has norm_coefficient*x added, the new
// x is multiplied by 1 - norm_coefficient_post.
var opPreviewAdam = previewOptimizer("Adam", 2, func(n *onnx.Node, r float64, t int64) (func(x, g float64, s []float64) float64, error) {
	norm, post, epsilon := realAttr(n, "norm_coefficient", 0), realAttr(n, "norm_coefficient_post", 0), realAttr(n, "epsilon", 1e-6)
	alpha, beta := realAttr(n, "alpha", 0.9), realAttr(n, "beta", 0.999)
	rate := r
	if t > 0 {
		rate = r * math.Sqrt(1-math.Pow(beta, float64(t))) / (1 - math.Pow(alpha, float64(t)))
	}
	return func(x, g float64, s []float64) float64 {
		g += float64(norm * x)
		s[0] = float64(alpha*s[0]) + float64((1-alpha)*g)
		s[1] = float64(beta*s[1]) + float64((1-beta)*g*g)
		return (1 - post) * (x - rate*s[0]/(math.Sqrt(s[1])+epsilon))
	}, nil
})
