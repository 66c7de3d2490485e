package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// OptionalHasElement tells whether an optional holds something. A value that is no optional counts as held, an absent input
// as nothing.
//
// Opset 18: values that are no optionals, an absent input. 28: types.
var opOptionalHasElement = opdef.Def{
	Type:  "OptionalHasElement",
	Infer: func(c *opdef.Infer) error { c.Set(0, onnx.Bool); return nil },
	Compile: opdef.Each(func(r *opdef.Run) error {
		has := r.Has(0)
		if has {
			if o, ok := r.In[0].Box.(*opdef.Opt); ok {
				has = o.Item != nil
			}
		}
		r.Out[0].Data[0] = byte(b2i(has))
		return nil
	}),
	Grad: opdef.ZeroGrad,
}
