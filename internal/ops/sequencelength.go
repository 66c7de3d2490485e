package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SequenceLength is the number of items of a sequence.
var opSequenceLength = opdef.Def{
	Type: "SequenceLength",
	Infer: func(c *opdef.Infer) error {
		_, err := itemTypeOf(c, 0)
		c.Set(0, onnx.Int64)
		return err
	},
	Compile: opdef.Each(func(r *opdef.Run) error {
		s, err := sequenceAt(r, 0)
		if err == nil {
			opdef.Of[int64](r.Out[0])[0] = int64(len(s.Items))
		}
		return err
	}),
	Grad: opdef.ZeroGrad,
}
