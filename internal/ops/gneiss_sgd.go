package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.SGD: w -= lr * g, the same in both conventions. It has no slots. See optimizer.go for inputs and attributes.
var opSGD = opdef.Def{
	Type:    "SGD",
	Domain:  onnx.Private,
	Schema:  optimizerSchema(0, 0),
	Infer:   inferOptimizer,
	Grad:    opdef.NoGrad,
	Compile: compileOptimizer(sgd[float32], sgd[float64]),
}

func sgd[T float](u *update[T]) {
	s := vec.SGD[T]{Decay: u.decay(), Scale: T(u.scale)}
	u.run = func(lo, hi int) { s.Step(u.table, u.w[lo:hi], u.g[lo:hi]) }
}
