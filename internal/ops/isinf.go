package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// IsInf: whether each element is an infinity of a sign that detect_positive and detect_negative ask for.
//
// Opset 10: new. 20: types.
var opIsInf = opdef.Def{
	Type:  "IsInf",
	Infer: inferTruth,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		up, down := c.Node.Int("detect_positive", 1) != 0, c.Node.Int("detect_negative", 1) != 0
		return classify(c, func(v float64) bool { return up && math.IsInf(v, 1) || down && math.IsInf(v, -1) })
	},
	Grad: opdef.ZeroGrad,
}
