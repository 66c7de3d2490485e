package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Upsample is the former name of Resize, deprecated since opset 10: asymmetric, nearest rounds down.
//
// Opset 1: width_scale and height_scale of an image. 7: scales. 9: scales are an input.
var opUpsample = opdef.Def{
	Type:    "Upsample",
	Infer:   inferUpsample,
	Compile: compileResize,
	Grad:    opResize.Grad,
	Upgrade: upgradeUpsample,
}

func inferUpsample(c *opdef.Infer) error {
	if x, err := c.Shape(0); err == nil {
		c.Set(0, c.Elem(0), unknownDims(len(x))...)
		return nil
	}
	c.SetUnranked(0, c.Elem(0))
	return opdef.ErrNoRank
}

func upgradeUpsample(c *opdef.Rewrite) error {
	n := c.Node
	var scales *onnx.Value
	switch {
	case c.Version < 7:
		scales = c.Builder.Const(onnx.Vector(1, 1, n.Float("height_scale", 1), n.Float("width_scale", 1)))
	case c.Version < 9:
		a := n.Attr("scales")
		if a == nil {
			return onnx.Invalidf("attribute scales is missing")
		}
		scales = c.Builder.Const(onnx.Vector(a.Floats...))
	default:
		scales = n.In(1)
	}
	n.DropAttr("scales", "width_scale", "height_scale")
	if n.Str("mode", "nearest") == "bilinear" {
		n.SetAttr(onnx.Str("mode", "linear"))
	}
	n.SetAttr(onnx.Str("coordinate_transformation_mode", "asymmetric"))
	n.SetAttr(onnx.Str("nearest_mode", "floor"))
	padInputs(n, 3)
	n.SetIn(1, nil)
	n.SetIn(2, scales)
	n.OpType = "Resize"
	return c.Err()
}
