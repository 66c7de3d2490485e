package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// NegativeLogLikelihoodLoss: the loss -weight * x at the label's class for log-probabilities x [N, C, d...] and labels
// [N, d...]: of each sample, summed, or divided by the sum of weights; labels equal to ignore_index do not count. A label out
// of range is an error.
//
// Opset 12: new. 13, 22: types. A gradient in the weights is not supported.
var opNegativeLogLikelihoodLoss = opdef.Def{
	Type:    "NegativeLogLikelihoodLoss",
	Infer:   inferLoss,
	Compile: compileLoss(negativeLogLikelihoodLoss[float32], negativeLogLikelihoodLoss[float64]),
	Grad: func(c *opdef.Grad) error {
		if c.Needs(2) {
			return onnx.Unsupportedf("no gradient in the class weights")
		}
		c.SetDX(0, c.Private("NegativeLogLikelihoodLossGrad", lossInputs(c, c.In(0)), lossAttrs(c.Node)...))
		return nil
	},
}

func negativeLogLikelihoodLoss[T float](t *lossTensors[T]) error {
	l := &t.loss
	if err := l.set(t.Node, t.In[0].Shape, t.In[1]); err != nil {
		return err
	}
	logp, w := t.in(0), t.in(2)
	if w != nil && len(w) != l.classes {
		return onnx.Invalidf("expected %d weights, received %d", l.classes, len(w))
	}
	return t.finish(l, logp, w)
}
