package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.QuantMean: GlobalAveragePool of unsigned bytes, quantized again. Attributes: x_scale, x_zero, y_scale, y_zero.
var opQuantMean = opdef.Def{
	Type:    "QuantMean",
	Domain:  onnx.Private,
	Schema:  private(1, 1),
	Infer:   inferGlobalPool,
	Compile: compileQuantMean,
	Layouts: quantUnaryLayouts,
	Grad:    opdef.NoGrad,
}

func compileQuantMean(c *opdef.Compile) (opdef.Step, error) {
	if c.Elem(0) != onnx.Uint8 {
		return opdef.Step{}, badElem(c.Elem(0))
	}
	from, to := scaleOf(c.Node, "x"), scaleOf(c.Node, "y")
	k := quantKernel{plainIn: c.InLayout[0] == opdef.Plain, plainOut: c.OutLayout[0] == opdef.Plain}
	return opdef.Step{
		Scratch: func(b *opdef.Bound) int { return k.buffers(blockedBytes(b.In[0].Shape), blockedBytes(b.Out[0].Shape)) },
		Run: func(r *opdef.Run) error {
			return k.with(r, func(x, y, _ []byte) error {
				blocked.MeanBytes(y, x, product(r.In[0].Shape[2:]), from, to)
				return nil
			})
		},
	}, nil
}

func quantUnaryLayouts(c *opdef.Layouts) opdef.Blocking {
	if !opdef.CanBlockBytes(c.Node.In(0)) || !opdef.CanBlockBytes(c.Node.Out(0)) {
		return opdef.Blocking{}
	}
	return opdef.Blocking{In: []int{0}, Out: []int{0}}
}
