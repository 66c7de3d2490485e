package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// MaxUnpoolGrad: the gradient of MaxUnpool from (dY, I), with its attributes.
var opMaxUnpoolGrad = opdef.Def{
	Type:    "MaxUnpoolGrad",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   func(c *opdef.Infer) error { return c.LikeElem(0, 1, c.Elem(0)) },
	Compile: moving(func(m *mover) error { return runUnpool(m, true) }),
	Grad:    opdef.NoGrad,
}
