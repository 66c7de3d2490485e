package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.QuantMax: MaxPool of unsigned bytes of one scale, with MaxPool's attributes.
var opQuantMax = opdef.Def{
	Type:    "QuantMax",
	Domain:  onnx.Private,
	Schema:  private(1, 1),
	Infer:   inferPool,
	Compile: compileQuantMax,
	Layouts: quantUnaryLayouts,
	Grad:    opdef.NoGrad,
}

// quantMax is the state of a QuantMax: the plan of the kernel, made anew when sizes change.
type quantMax struct {
	node *onnx.Node
	x    []int
	plan *blocked.MaxBytes
}

func (s *quantMax) of(x []int) (*blocked.MaxBytes, error) {
	if s.plan != nil && slices.Equal(s.x, x) {
		return s.plan, nil
	}
	g, err := poolGeometry(s.node, x)
	if err != nil {
		return nil, err
	}
	s.plan, s.x = blocked.NewMaxBytes(nil, g), slices.Clone(x)
	return s.plan, nil
}

func compileQuantMax(c *opdef.Compile) (opdef.Step, error) {
	if c.Elem(0) != onnx.Uint8 {
		return opdef.Step{}, badElem(c.Elem(0))
	}
	k := quantKernel{plainIn: c.InLayout[0] == opdef.Plain, plainOut: c.OutLayout[0] == opdef.Plain}
	return opdef.Step{
		Scratch: func(b *opdef.Bound) int {
			p, err := (&quantMax{node: c.Node}).of(b.In[0].Shape)
			if err != nil {
				return 0 // run says it
			}
			return k.buffers(blockedBytes(b.In[0].Shape), blockedBytes(b.Out[0].Shape)) + p.Scratch(b.Threads)
		},
		State: func() any { return &quantMax{node: c.Node} },
		Run: func(r *opdef.Run) error {
			p, err := r.State.(*quantMax).of(r.In[0].Shape)
			if err != nil {
				return err
			}
			return k.with(r, func(x, y, scratch []byte) error {
				p.Run(r.Team, x, y, scratch)
				return nil
			})
		},
	}, nil
}
