package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Softmax: e^x divided by its sum along an axis; NaN for a line of minus infinities. 16-bit types
// are rounded after each step, as the standard's body does.
//
// Opset 11: negative axes. 13: along axis (default -1); before, the axes from axis on (default 1) were taken as one.
var opSoftmax = opdef.Def{
	Type:    "Softmax",
	Infer:   inferLines,
	Compile: compileSoftmax,
	Upgrade: upgradeSoftmax,
	Grad:    gradLine("SoftmaxGrad"),
	Body:    bodySoftmax,
}

func bodySoftmax(c *opdef.Rewrite) error {
	b := recipe{c}
	_, e, sum := b.softmax()
	return b.finish(b.do("Div", e, sum))
}

// softmax is x less its largest element along the attribute axis, e to that power, and the sum of those.
func (b recipe) softmax() (x, e, sum *onnx.Value) {
	axis := b.Node.Int("axis", -1)
	x = b.do("Sub", b.in(0), b.reduce("ReduceMax", b.in(0), axis))
	e = b.do("Exp", x)
	return x, e, b.reduce("ReduceSum", e, axis)
}
