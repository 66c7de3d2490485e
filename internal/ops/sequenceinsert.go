package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SequenceInsert is the sequence with a tensor in front of the one at a position, or behind all when none is given. The
// position may be the number of tensors.
var opSequenceInsert = opdef.Def{
	Type:    "SequenceInsert",
	Infer:   inferSequenceInsert,
	Compile: boxing(runSequenceInsert),
	Grad:    opdef.NoGrad,
}

func inferSequenceInsert(c *opdef.Infer) error {
	t, err := itemTypeOf(c, 0)
	if err != nil {
		return err
	}
	u, ok := c.In(1)
	switch {
	case !ok:
		return onnx.Invalidf("input 1 is missing")
	case t.Elem != u.Elem && t.Elem != onnx.Undefined && u.Elem != onnx.Undefined:
		return onnx.Invalidf("a tensor of type %v does not fit into a sequence of %v", u, t)
	case t.Kind == onnx.KindUnknown:
		t = onnx.Unranked(u.Elem)
	}
	c.SetType(0, onnx.SequenceOf(meet(t, u)))
	return nil
}

// copiedItems is how many items are copied in about the time that a small node takes: inserting n items one by one copies
// n²/2 of them, which a run pays for in nodes.
const copiedItems = 2

func runSequenceInsert(m *mover) error {
	s, err := sequenceAt(m.Run, 0)
	if err != nil {
		return err
	}
	p := len(s.Items)
	if m.Has(2) {
		at, err := m.one(2)
		if n := int64(p); err == nil && (at < -n || at > n) {
			err = onnx.Invalidf("position %d is out of range for a sequence of %d", at, n)
		}
		if err != nil {
			return err
		}
		if p = int(at); at < 0 {
			p += len(s.Items)
		}
	}
	if len(s.Items) > 0 && s.Items[0].Elem != m.In[1].Elem {
		return onnx.Invalidf("a tensor of type %v does not fit into a sequence of %v", m.In[1].Elem, s.Items[0].Elem)
	}
	if err := m.Host.Charge(len(s.Items) / copiedItems); err != nil {
		return err
	}
	item, err := owned(m.Run, m.In[1])
	if err != nil {
		return err
	}
	setSequence(m.Run, 0, onnx.Unranked(item.Elem), slices.Insert(slices.Clone(s.Items), p, item))
	return nil
}
