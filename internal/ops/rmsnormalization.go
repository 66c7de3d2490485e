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
}
