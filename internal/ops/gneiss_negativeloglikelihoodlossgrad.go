package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.NegativeLogLikelihoodLossGrad: dx for dy, x (of which only the shape is read), the labels and, if any, the weights.
var opNegativeLogLikelihoodLossGrad = opdef.Def{
	Type:    "NegativeLogLikelihoodLossGrad",
	Domain:  onnx.Private,
	Schema:  &schema.Schema{MinIn: 3, MaxIn: 4, MinOut: 1, MaxOut: 1},
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 1) },
	Grad:    opdef.NoGrad,
	Compile: compileNegativeLogLikelihoodLossGrad,
}

func compileNegativeLogLikelihoodLossGrad(c *opdef.Compile) (opdef.Step, error) {
	s, err := compileLoss(negativeLogLikelihoodLossGrad[float32], negativeLogLikelihoodLossGrad[float64])(c)
	s.ShapeOnly = []int{1}
	return s, err
}

func negativeLogLikelihoodLossGrad[T float](t *lossTensors[T]) error {
	l := &t.loss
	if err := l.set(t.Node, t.In[1].Shape, t.In[2]); err != nil {
		return err
	}
	dy, w, slope := t.in(0), t.in(3), t.take(l.n)
	if err := scoreSlopes(l, dy, w, slope); err != nil {
		return err
	}
	dx := t.out(0, l.n*l.classes)
	clear(dx)
	for i, s := range slope {
		if class, ok, _ := l.class(i); ok {
			dx[l.at(i, class)] = -s
		}
	}
	t.store(0, dx)
	return nil
}
