package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SequenceConstruct is the sequence of its inputs, tensors of one element type.
var opSequenceConstruct = opdef.Def{
	Type:    "SequenceConstruct",
	Infer:   inferSequenceConstruct,
	Compile: boxing(runSequenceConstruct),
	Grad:    opdef.NoGrad,
}

func inferSequenceConstruct(c *opdef.Infer) error {
	t, ok := c.In(0)
	if !ok {
		return onnx.Invalidf("expected an input")
	}
	for i := 1; i < c.Node.NumIn(); i++ {
		u, _ := c.In(i)
		if t.Elem != u.Elem && t.Elem != onnx.Undefined && u.Elem != onnx.Undefined {
			return onnx.Invalidf("expected tensors of one type, received %v and %v", t, u)
		}
		t = meet(t, u)
	}
	c.SetType(0, onnx.SequenceOf(t))
	return nil
}

func runSequenceConstruct(m *mover) error {
	items := make([]opdef.View, len(m.In))
	for i := range items {
		var err error
		if items[i], err = owned(m.Run, m.In[i]); err != nil {
			return err
		}
	}
	setSequence(m.Run, 0, onnx.Unranked(m.In[0].Elem), items)
	return nil
}
