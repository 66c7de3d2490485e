package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LayerNormalization: Y = (X - mean)/√(variance + epsilon)·Scale + B, where mean and population variance are those over the
// axes from axis on. Scale and B broadcast to those axes. Mean and variance are computed in float64 whatever stash_type says,
// which is the type of outputs 1 and 2 alone.
//
// One version, of opset 17. The gradient of outputs 1 and 2 is not supported.
var opLayerNormalization = opdef.Def{
	Type:    "LayerNormalization",
	Infer:   inferLayerNormalization,
	Compile: rowNormFloats(lastAxes, true),
	Grad:    gradRows(1),
}

func inferLayerNormalization(c *opdef.Infer) error {
	if err := c.Like(0, 0); err != nil {
		return err
	}
	stash := onnx.ElemType(c.Node.Int("stash_type", 1))
	if stash != onnx.Float32 && stash != onnx.BFloat16 && stash != onnx.Float16 && stash != onnx.Float64 {
		return onnx.Invalidf("attribute stash_type: expected a float type, received %d", stash)
	}
	for i := 1; i < len(c.Outs); i++ {
		c.SetUnranked(i, stash)
	}
	s, err := c.Shape(0)
	if err != nil {
		return err
	}
	axis, err := opdef.Axis(c.Node.Int("axis", -1), len(s))
	if err != nil {
		return err
	}
	kept := append([]onnx.Dim{}, s[:axis]...)
	for range s[axis:] {
		kept = append(kept, onnx.Fixed(1))
	}
	for i := 1; i < len(c.Outs); i++ {
		c.Set(i, stash, kept...)
	}
	return nil
}
