package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// CastLike is Cast to the element type of the second input.
var opCastLike = opdef.Def{
	Type:  "CastLike",
	Infer: func(c *opdef.Infer) error { return inferCast(c, c.Elem(1)) },
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return castStep(c, c.Elem(1), opdef.Step{ShapeOnly: []int{1}})
	},
	Grad: gradCast,
}
