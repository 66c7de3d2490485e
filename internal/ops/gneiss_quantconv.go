package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.QuantConv: QLinearConv of unsigned bytes with constant weights of signed bytes without a zero point. Inputs: x, w, scale
// (x_scale·w_scale/y_scale for each output channel), bias (int32, optional); attributes: Conv's, x_zero and y_zero.
var opQuantConv = opdef.Def{
	Type:    "QuantConv",
	Domain:  onnx.Private,
	Schema:  &schema.Schema{MinIn: 3, MaxIn: 4, MinOut: 1, MaxOut: 1},
	Infer:   inferQuantConv,
	Compile: compileQuantConv,
	Layouts: quantConvLayouts,
	Grad:    opdef.NoGrad,
}

// inferQuantConv is inferConv without the bias, which stands elsewhere here.
func inferQuantConv(c *opdef.Infer) error {
	ins := c.Ins
	c.Ins = ins[:2]
	err := inferConv(c)
	c.Ins = ins
	return err
}
