package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// RMSNormalization: Y = X/√(mean(X²) + epsilon)·scale, where the mean is over the axes from axis on. scale broadcasts to
// those axes and gives Y its type. The mean is computed in float64 whatever stash_type says.
//
// One version, of opset 23. X and scale of which only one is float64 are not supported.
var opRMSNormalization = opdef.Def{
	Type: "RMSNormalization",
	Infer: func(c *opdef.Infer) error {
		if err := c.LikeElem(0, 0, c.Elem(1)); err != nil {
			return err
		}
		s, err := c.Shape(0)
		if err == nil {
			_, err = opdef.Axis(c.Node.Int("axis", -1), len(s))
		}
		return err
	},
	Compile: rowNormFloats(lastAxes, false),
	Grad:    gradRows(0),
	Body:    bodyRMSNormalization,
}

func bodyRMSNormalization(c *opdef.Rewrite) error {
	b := recipe{c}
	x, axis := b.in(0), b.int(c.Node.Int("axis", -1))
	u, err := b.stash(1)
	if err != nil {
		return err
	}
	rank := b.do("Size", b.do("Shape", x))
	if c.Node.Int("axis", -1) < 0 {
		axis = b.do("Add", rank, axis)
	}
	xu := b.cast(x, u)
	mean := b.do("ReduceMean", b.do("Mul", xu, xu), b.do("Range", axis, rank, b.int(1)))
	root := b.do("Sqrt", b.do("Add", mean, b.num(u, c.Node.Float("epsilon", 1e-5))))
	return b.finish(b.do("Mul", b.cast(b.cast(b.do("Div", xu, root), b.elem(0)), b.elem(1)), b.in(1)))
}
