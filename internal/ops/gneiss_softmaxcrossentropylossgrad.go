package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.SoftmaxCrossEntropyLossGrad: the gradient in the scores for dy, log(softmax(scores)), the labels and, if any, the
// weights.
var opSoftmaxCrossEntropyLossGrad = opdef.Def{
	Type:    "SoftmaxCrossEntropyLossGrad",
	Domain:  onnx.Private,
	Schema:  &schema.Schema{MinIn: 3, MaxIn: 4, MinOut: 1, MaxOut: 1},
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 1) },
	Grad:    opdef.NoGrad,
	Compile: compileLoss(softmaxCrossEntropyLossGrad[float32], softmaxCrossEntropyLossGrad[float64]),
}

func softmaxCrossEntropyLossGrad[T float](t *lossTensors[T]) error {
	l := &t.loss
	if err := l.set(t.Node, t.In[1].Shape, t.In[2]); err != nil {
		return err
	}
	dy, logp, w, slope := t.in(0), t.in(1), t.in(3), t.take(l.n)
	if err := scoreSlopes(l, dy, w, slope); err != nil {
		return err
	}
	dx := t.out(0, len(logp))
	for i, s := range slope {
		for c := range l.classes {
			at := l.at(i, c)
			dx[at] = 0
			if s != 0 {
				dx[at] = s * T(math.Exp(float64(logp[at])))
			}
		}
		if class, ok, _ := l.class(i); ok {
			dx[l.at(i, class)] -= s
		}
	}
	t.store(0, dx)
	return nil
}
