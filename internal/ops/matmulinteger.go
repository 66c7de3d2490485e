package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// MatMulInteger: the matrix product of 8-bit integers less their zero points, as exact int32, which wraps. Zero points are one, one
// for each row of A or column of B, or those of each matrix.
//
// One version, of opset 10.
var opMatMulInteger = opdef.Def{
	Type:    "MatMulInteger",
	Infer:   inferProduct(integerInputs, func(*opdef.Infer) onnx.ElemType { return onnx.Int32 }, inferMatMul),
	Compile: exactMatMul(integerInputs),
	Grad:    opdef.NoGrad,
}
