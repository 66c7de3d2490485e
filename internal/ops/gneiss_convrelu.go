package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.ConvRelu: Relu of Conv, with Conv's inputs and attributes. The bits are those of both.
var opConvRelu = opdef.Def{
	Type:    "ConvRelu",
	Domain:  onnx.Private,
	Schema:  &schema.Schema{MinIn: 2, MaxIn: 3, MinOut: 1, MaxOut: 1},
	Infer:   inferConv,
	Compile: floatKernel(0, forwardStep[float32](true), forwardStep[float64](true)),
	Grad:    opdef.NoGrad,
}
