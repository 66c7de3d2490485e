package ops

import (
	"github.com/gneiss-ml/gneiss/onnx"
)

// ai.onnx.preview.training.Momentum: v becomes alpha*v + beta*g, where beta counts as 1 when t is 0; x falls by r*v (standard)
// or r*(g + alpha*v) (nesterov). g has norm_coefficient*x added.
var opPreviewMomentum = previewOptimizer("Momentum", 1, func(n *onnx.Node, r float64, t int64) (func(x, g float64, s []float64) float64, error) {
	mode := n.Str("mode", "")
	if mode != "standard" && mode != "nesterov" {
		return nil, onnx.Invalidf("attribute mode: expected standard or nesterov, received %.128q", mode)
	}
	norm, alpha, beta := realAttr(n, "norm_coefficient", 0), realAttr(n, "alpha", 0), realAttr(n, "beta", 0)
	if t <= 0 {
		beta = 1
	}
	return func(x, g float64, s []float64) float64 {
		g += float64(norm * x)
		if s[0] = float64(alpha*s[0]) + float64(beta*g); mode == "nesterov" {
			return x - float64(r*(g+float64(alpha*s[0])))
		}
		return x - float64(r*s[0])
	}, nil
})
