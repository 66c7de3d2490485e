package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// ai.onnx.preview.training.Gradient: the derivatives of the value called y by those called xs, where the value is a function of
// xs and zs and the node's inputs are the values to put in their place; of a y that is no scalar, the derivatives of its sum.
// There is no kernel: preparing the graph writes the reverse pass in the node's place.
//
// One version, of opset 1 of ai.onnx.preview.training.
var opGradient = opdef.Def{
	Type:   "Gradient",
	Domain: previewDomain,
	Infer:  inferGradient,
}

// inferGradient gives each output the type of the input at its place.
func inferGradient(c *opdef.Infer) error {
	for i := range c.Outs {
		if err := c.Like(i, i); err != nil {
			return err
		}
	}
	return nil
}
