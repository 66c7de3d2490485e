package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.QuantAdd: the sum of two tensors of unsigned bytes of one shape, quantized again. Attributes: a_scale, a_zero, b_scale,
// b_zero, y_scale, y_zero.
var opQuantAdd = opdef.Def{
	Type:    "QuantAdd",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   opdef.SameAsFirst,
	Compile: compileQuantAdd,
	Layouts: quantAddLayouts,
	Grad:    opdef.NoGrad,
}

// quantAdding is the state of a QuantAdd.
type quantAdding struct {
	sum  blocked.ByteSum
	last [3][blocked.Lanes]byte // what is left of a plain tensor whose size is no multiple of 16
}

func compileQuantAdd(c *opdef.Compile) (opdef.Step, error) {
	if c.Elem(0) != onnx.Uint8 || c.Elem(1) != onnx.Uint8 {
		return opdef.Step{}, badElem(c.Elem(0))
	}
	a, b, y := scaleOf(c.Node, "a"), scaleOf(c.Node, "b"), scaleOf(c.Node, "y")
	return opdef.Step{
		Alias: aliases(2),
		State: func() any { return &quantAdding{} },
		Run: func(r *opdef.Run) error {
			if !slices.Equal(r.In[0].Shape, r.In[1].Shape) {
				return onnx.Invalidf("expected equal shapes, received %v and %v", r.In[0].Shape, r.In[1].Shape)
			}
			s, to := r.State.(*quantAdding), r.Out[0].Data
			whole := len(to) / blocked.Lanes * blocked.Lanes
			s.sum.Run(r.Team, nil, to[:whole], r.In[0].Data, r.In[1].Data, a, b, y)
			if rest := to[whole:]; len(rest) > 0 {
				copy(s.last[0][:], r.In[0].Data[whole:])
				copy(s.last[1][:], r.In[1].Data[whole:])
				s.sum.Run(nil, nil, s.last[2][:], s.last[0][:], s.last[1][:], a, b, y)
				copy(rest, s.last[2][:])
			}
			return nil
		},
	}, nil
}

// scaleOf is the attributes NAME_scale and NAME_zero.
func scaleOf(n *onnx.Node, name string) blocked.Scale {
	return blocked.Scale{Step: n.Float(name+"_scale", 1), Zero: uint8(n.Int(name+"_zero", 0))}
}

func quantAddLayouts(c *opdef.Layouts) opdef.Blocking {
	if !opdef.CanBlockBytes(c.Node.In(0)) || !opdef.CanBlockBytes(c.Node.In(1)) || !opdef.CanBlockBytes(c.Node.Out(0)) {
		return opdef.Blocking{}
	}
	return opdef.Blocking{In: []int{0, 1}, Out: []int{0}}
}
