package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.MatMulAdd: A·B + C, where B is a matrix and C a vector, one element a column; with attribute relu (0), negative
// results become 0. The sums start from C.
var opMatMulAdd = opdef.Def{
	Type:    "MatMulAdd",
	Domain:  onnx.Private,
	Schema:  private(3, 1),
	Infer:   inferMatMul,
	Compile: floatKernel(0, multiplyStep[float32], multiplyStep[float64]),
	Grad:    opdef.NoGrad,
}
