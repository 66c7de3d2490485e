package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// Scatter is the former name of ScatterElements, deprecated since opset 11.
var opScatter = opdef.Def{
	Type:    "Scatter",
	Infer:   opdef.SameAsFirst,
	Compile: compileScatterElements,
	Grad:    opScatterElements.Grad,
	Upgrade: func(c *opdef.Rewrite) error {
		c.Node.OpType = "ScatterElements"
		return nil
	},
}
