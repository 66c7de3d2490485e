package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.Adam: Adam and AdamW. The slots are the moments m and v; a third slot, the largest v so far, makes it AMSGrad.
// Attributes: beta_1 (0.9), beta_2 (0.999), epsilon (1e-7 in Keras's convention, 1e-8 in PyTorch's). See optimizer.go for the
// others.
var opAdam = opdef.Def{
	Type:    "Adam",
	Domain:  onnx.Private,
	Schema:  optimizerSchema(2, 3),
	Infer:   inferOptimizer,
	Grad:    opdef.NoGrad,
	Compile: compileOptimizer(adam[float32], adam[float64]),
}

func adam[T float](u *update[T]) {
	b1, b2 := realAttr(u.node, "beta_1", 0.9), realAttr(u.node, "beta_2", 0.999)
	s := vec.Adam[T]{
		Decay: u.decay(), Scale: T(u.scale), Keras: u.keras,
		Beta2: T(b2), OneBeta1: T(1 - b1), OneBeta2: T(1 - b2),
	}
	if u.keras {
		s.Epsilon = T(realAttr(u.node, "epsilon", 1e-7))
		s.Rate = T(u.lr) * sqrt(1-powerOf[T](b2, u.t)) / (1 - powerOf[T](b1, u.t))
	} else {
		s.Epsilon = T(realAttr(u.node, "epsilon", 1e-8))
		s.Rate = T(u.lr / (1 - math.Pow(b1, u.t)))
		s.Root = T(math.Sqrt(1 - math.Pow(b2, u.t)))
	}
	u.run = func(lo, hi int) {
		var hat []T
		if u.slots[2] != nil {
			hat = u.slots[2][lo:hi]
		}
		s.Step(u.table, u.w[lo:hi], u.slots[0][lo:hi], u.slots[1][lo:hi], hat, u.g[lo:hi])
	}
}
