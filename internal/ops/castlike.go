package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// CastLike is Cast to the element type of the second input.
var opCastLike = opdef.Def{
	Type:  "CastLike",
	Infer: func(c *opdef.Infer) error { return inferCast(c, c.Elem(1)) },
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return castStep(c, c.Elem(1), opdef.Step{ShapeOnly: []int{1}})
	},
	Grad: gradCast,
	Body: bodyCastLike,
}

func bodyCastLike(c *opdef.Rewrite) error {
	b := recipe{c}
	attrs := append(slices.Clone(c.Node.Attrs), onnx.Int("to", int64(b.elem(1))))
	return b.finish(b.Op("Cast", values{b.in(0)}, attrs...))
}
