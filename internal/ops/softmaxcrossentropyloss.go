package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SoftmaxCrossEntropyLoss: the loss -weight * log(softmax(scores)) at the label's class for scores [N, C, d...] and labels
// [N, d...]: of each sample, summed, or divided by the sum of weights; labels equal to ignore_index do not count. The second
// output is log(softmax(scores)). A label out of range is an error.
//
// Opset 12: new. 13: types.
var opSoftmaxCrossEntropyLoss = opdef.Def{
	Type:    "SoftmaxCrossEntropyLoss",
	Infer:   inferSoftmaxCrossEntropyLoss,
	Compile: compileLoss(softmaxCrossEntropyLoss[float32], softmaxCrossEntropyLoss[float64]),
	Grad:    gradSoftmaxCrossEntropyLoss,
	Body:    bodySoftmaxCrossEntropyLoss,
}

func inferSoftmaxCrossEntropyLoss(c *opdef.Infer) error {
	if err := c.Like(1, 0); err != nil {
		return err
	}
	return inferLoss(c)
}

func softmaxCrossEntropyLoss[T float](t *lossTensors[T]) error {
	l := &t.loss
	if err := l.set(t.Node, t.In[0].Shape, t.In[1]); err != nil {
		return err
	}
	scores, w := t.in(0), t.in(2)
	if w != nil && len(w) != l.classes {
		return onnx.Invalidf("expected %d weights, received %d", l.classes, len(w))
	}
	logp := t.out(1, len(scores))
	t.lines.apply(t.Run, t.In[0].Shape, 1, logp, scores)
	t.store(1, logp)
	return t.finish(l, logp, w)
}

func gradSoftmaxCrossEntropyLoss(c *opdef.Grad) error {
	if c.Needs(2) {
		return c.Host.ThroughBody(c)
	}
	var dx *onnx.Value
	if c.DY(0) != nil {
		dx = c.Private("SoftmaxCrossEntropyLossGrad", lossInputs(c, c.Y(1)), lossAttrs(c.Node)...)
	}
	if c.DY(1) != nil {
		d := c.Private("LogSoftmaxGrad", values{c.DY(1), c.Y(1)}, onnx.Int("axis", 1))
		if dx != nil {
			d = Sum(c.Builder, dx, d)
		}
		dx = d
	}
	c.SetDX(0, dx)
	return nil
}

// lossInputs is the inputs of a gradient of a loss: dy, x, the labels and the weights, if any.
func lossInputs(c *opdef.Grad, x *onnx.Value) values {
	in := values{c.DY(0), x, c.In(1)}
	if w := c.In(2); w != nil {
		in = append(in, w)
	}
	return in
}

// lossAttrs is the attributes that a loss and its gradient share.
func lossAttrs(n *onnx.Node) []onnx.Attribute {
	attrs := []onnx.Attribute{onnx.Str("reduction", n.Str("reduction", "mean"))}
	if a := n.Attr("ignore_index"); a != nil {
		attrs = append(attrs, *a)
	}
	return attrs
}

func bodySoftmaxCrossEntropyLoss(c *opdef.Rewrite) error {
	b := recipe{c}
	logs := b.Op("LogSoftmax", values{b.in(0)}, onnx.Int("axis", 1))
	outs := values{b.Op("NegativeLogLikelihoodLoss", values{logs, b.in(1), b.in(2)}, lossAttrs(c.Node)...), nil}
	if b.wants(1) {
		outs[1] = logs
	}
	return b.finish(outs...)
}
