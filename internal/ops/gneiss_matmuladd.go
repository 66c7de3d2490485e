package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.MatMulAdd: act(A·B + C + R), where B is a matrix, C a vector, one element a column, and R, the optional input 3, has
// the shape of the result. The sums start from C. act is the attribute activation: "" (none), or the operator of that
// name: Relu, Sigmoid, Swish (its alpha is 1), Tanh, Gelu (with its attribute approximate). The attribute relu (0) is an older
// way of saying Relu.
var opMatMulAdd = opdef.Def{
	Type:    "MatMulAdd",
	Domain:  onnx.Private,
	Schema:  &schema.Schema{MinIn: 3, MaxIn: 4, MinOut: 1, MaxOut: 1},
	Infer:   inferMatMul,
	Compile: floatKernel(0, multiplyStep[float32], multiplyStep[float64]),
	Grad:    opdef.NoGrad,
}

// productActivation is what the attribute activation of c's node names: relu, or a function that replaces numbers by its
// results; nil for none.
func productActivation[T float32 | float64](c *opdef.Compile) (after func(y []T), relu bool, err error) {
	var f quick
	switch name := c.Node.Str("activation", ""); name {
	case "":
		return nil, c.Node.Int("relu", 0) != 0, nil
	case "Relu":
		return nil, true, nil
	case "Sigmoid":
		f = quick{vec.SigmoidOf, vec.Sigmoid}
	case "Swish":
		f = quick{vec.SwishOf, func(v float64) float64 { return v * vec.Sigmoid(v) }}
	case "Tanh":
		f = quick{vec.TanhOf, math.Tanh}
	case "Gelu":
		f = quick{vec.GeluOf, vec.Gelu}
		if c.Node.Str("approximate", "none") == "tanh" {
			f = quick{vec.GeluTanhOf, vec.GeluTanh}
		}
	default:
		return nil, false, onnx.Unsupportedf("activation %.128q is not supported", name)
	}
	return inPlace[T](f, c.Generic), false, nil
}

// inPlace replaces numbers by the results of f.
func inPlace[T float32 | float64](f quick, generic bool) func(y []T) {
	kernel := vecTable(generic).Kernel(f.f)
	if after, ok := any(func(y []float32) { kernel(y, y) }).(func(y []T)); ok {
		return after
	}
	return func(y []T) {
		for i, v := range y {
			y[i] = T(f.exact(float64(v)))
		}
	}
}
