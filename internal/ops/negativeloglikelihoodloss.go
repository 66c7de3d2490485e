package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// NegativeLogLikelihoodLoss: the loss -weight * x at the label's class for log-probabilities x [N, C, d...] and labels
// [N, d...]: of each sample, summed, or divided by the sum of weights; labels equal to ignore_index do not count. A label out
// of range is an error.
//
// Opset 12: new. 13, 22: types.
var opNegativeLogLikelihoodLoss = opdef.Def{
	Type:    "NegativeLogLikelihoodLoss",
	Infer:   inferLoss,
	Compile: compileLoss(negativeLogLikelihoodLoss[float32], negativeLogLikelihoodLoss[float64]),
	Grad: func(c *opdef.Grad) error {
		if c.Needs(2) {
			return c.Host.ThroughBody(c)
		}
		c.SetDX(0, c.Private("NegativeLogLikelihoodLossGrad", lossInputs(c, c.In(0)), lossAttrs(c.Node)...))
		return nil
	},
	Body: bodyNegativeLogLikelihoodLoss,
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

func bodyNegativeLogLikelihoodLoss(c *opdef.Rewrite) error {
	b := recipe{c}
	reduction := c.Node.Str("reduction", "mean")
	if reduction != "none" && reduction != "sum" && reduction != "mean" {
		return onnx.Invalidf("attribute reduction: expected none, sum or mean, received %.128q", reduction)
	}
	loss, weight := b.losses()
	if weight != nil {
		loss = b.do("Mul", loss, weight)
	}
	switch {
	case reduction == "sum":
		loss = b.total("ReduceSum", loss)
	case reduction == "mean" && weight == nil:
		loss = b.total("ReduceMean", loss)
	case reduction == "mean":
		loss = b.do("Div", b.total("ReduceSum", loss), b.total("ReduceSum", weight))
	}
	return b.finish(loss)
}

// losses is -x at the labels and the weights of the labels, which are 0 where a label is ignored; nil: all are 1.
func (b recipe) losses() (loss, weight *onnx.Value) {
	x, e, channel := b.in(0), b.elem(0), b.ints(1)
	labels := b.do("Unsqueeze", b.in(1), channel)
	pick := func(labels *onnx.Value) *onnx.Value {
		return b.Op("GatherElements", values{x, labels}, onnx.Int("axis", 1))
	}
	squeeze := func(v *onnx.Value) *onnx.Value { return b.do("Squeeze", v, channel) }
	if b.Node.Attr("ignore_index") == nil {
		if b.in(2) != nil {
			weight = b.do("Gather", b.in(2), b.in(1))
		}
		return b.do("Neg", squeeze(pick(labels))), weight
	}
	ignored := b.do("Equal", b.cast(labels, onnx.Int64), b.ints(b.Node.Int("ignore_index", 0)))
	zero := b.num(e, 0)
	labels = b.do("Where", ignored, b.do("Sub", labels, labels), labels)
	if b.in(2) != nil {
		weight = b.do("Where", ignored, zero, b.do("Gather", b.in(2), labels))
	} else {
		weight = b.do("Where", ignored, zero, b.num(e, 1))
	}
	return b.do("Neg", squeeze(b.do("Where", ignored, zero, pick(labels)))), squeeze(weight)
}
