package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.Reorder: its input, in the layout that the plan gives the output. The layout pass puts it where a value leaves or
// enters a region of blocked tensors.
var opReorder = opdef.Def{
	Type:    "Reorder",
	Domain:  onnx.Private,
	Schema:  private(1, 1),
	Infer:   opdef.SameAsFirst,
	Compile: compileReorder,
	Grad:    opdef.NoGrad,
}

func compileReorder(c *opdef.Compile) (opdef.Step, error) {
	from, to := c.InLayout[0], c.OutLayout[0]
	if from == to {
		return opdef.Step{Alias: aliases(1), Run: copyElements}, nil
	}
	switch c.Elem(0) {
	case onnx.Float32:
	case onnx.Uint8:
		return opdef.Step{Run: func(r *opdef.Run) error { return reorderBytes(r, to) }}, nil
	default:
		return opdef.Step{}, badElem(c.Elem(0))
	}
	reorder := blocked.Pack
	if to == opdef.Plain {
		reorder = blocked.Unpack
	}
	return opdef.Step{Run: func(r *opdef.Run) error {
		s := r.In[0].Shape
		if len(s) < 3 {
			return onnx.Internalf("a tensor of shape %v has no blocks", s)
		}
		reorder(r.Team, opdef.Of[float32](r.Out[0]), opdef.Of[float32](r.In[0]), s[0], s[1], product(s[2:]))
		return nil
	}}, nil
}

func copyElements(r *opdef.Run) error {
	copy(r.Out[0].Data, r.In[0].Data)
	return nil
}

func reorderBytes(r *opdef.Run, to opdef.Layout) error {
	s, reorder := r.In[0].Shape, blocked.PackBytes
	if to == opdef.Plain {
		reorder = blocked.UnpackBytes
	}
	reorder(r.Out[0].Data, r.In[0].Data, s[0], s[1], product(s[2:]))
	return nil
}
