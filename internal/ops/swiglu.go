package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SwiGLU: y = Swish(a)·b for a and b of one shape, where Swish has the factor alpha.
//
// Opset 28: new. The gradient is that of the body.
var opSwiGLU = opdef.Def{
	Type: "SwiGLU",
	Infer: func(c *opdef.Infer) error {
		if a, b := c.Ins[0], c.Ins[1]; a.Ranked && b.Ranked &&
			!slices.EqualFunc(a.Shape, b.Shape, func(m, n onnx.Dim) bool { return !m.IsFixed() || !n.IsFixed() || m.N == n.N }) {
			return onnx.Invalidf("expected inputs of one shape, received %v and %v", a, b)
		}
		return inferVariadic(c)
	},
	Compile: floatsBy(func(n *onnx.Node) (func([]float32, [][]float32), func([]float64, [][]float64)) {
		alpha := realAttr(n, "alpha", 1)
		return func(y []float32, x [][]float32) { swiGLU(y, x, alpha) }, func(y []float64, x [][]float64) { swiGLU(y, x, alpha) }
	}),
}

// swiGLU rounds the result of Swish as the standard's body does.
func swiGLU[T float](y []T, x [][]T, alpha float64) {
	for i, v := range x[0] {
		a := float64(v)
		y[i] = T(a*vec.Sigmoid(alpha*a)) * x[1][i]
	}
}
