package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.Momentum: gradient descent with momentum. One slot, the buffer v. Attributes: momentum, nesterov, and in PyTorch's
// convention dampening; there the buffer is the gradient at t = 1. See optimizer.go for the others.
var opMomentum = opdef.Def{
	Type:    "Momentum",
	Domain:  onnx.Private,
	Schema:  optimizerSchema(1, 1),
	Infer:   inferOptimizer,
	Grad:    opdef.NoGrad,
	Compile: compileOptimizer(momentum[float32], momentum[float64]),
}

func momentum[T float](u *update[T]) {
	s := vec.Momentum[T]{
		Decay: u.decay(), Scale: T(u.scale), Keras: u.keras, First: u.t == 1,
		Mu:       T(realAttr(u.node, "momentum", 0)),
		Damp:     T(1 - realAttr(u.node, "dampening", 0)),
		Nesterov: u.node.Int("nesterov", 0) != 0,
	}
	u.run = func(lo, hi int) { s.Step(u.w[lo:hi], u.slots[0][lo:hi], u.g[lo:hi]) }
}
