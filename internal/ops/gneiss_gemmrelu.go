package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.GemmRelu: Relu of Gemm, with Gemm's inputs and attributes, of which alpha is 1. The bits are those of both.
var opGemmRelu = opdef.Def{
	Type:    "GemmRelu",
	Domain:  onnx.Private,
	Schema:  &schema.Schema{MinIn: 2, MaxIn: 3, MinOut: 1, MaxOut: 1},
	Infer:   inferGemm,
	Compile: floatKernel(0, affineStep[float32](true), affineStep[float64](true)),
	Grad:    opdef.NoGrad,
}
