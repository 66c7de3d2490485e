package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// QLinearMatMul: MatMul of quantized matrices, whose exact sums are scaled in float32, rounded to even and cut to the range of y.
// Scales and zero points are one, one for each row of a or column of b, or those of each matrix.
//
// Opset 10, 21: types. There is no gradient.
var opQLinearMatMul = opdef.Def{
	Type:    "QLinearMatMul",
	Infer:   inferProduct(linearInputs, func(c *opdef.Infer) onnx.ElemType { return c.Elem(7) }, inferMatMul),
	Compile: exactMatMul(linearInputs),
	Grad:    opdef.NoGrad,
}
