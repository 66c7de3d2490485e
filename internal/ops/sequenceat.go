package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// SequenceAt is a copy of the tensor at a position, which may count from the end.
var opSequenceAt = opdef.Def{
	Type: "SequenceAt",
	Infer: func(c *opdef.Infer) error {
		t, err := itemTypeOf(c, 0)
		if err == nil {
			c.SetType(0, t)
		}
		return err
	},
	Compile: boxing(func(m *mover) error {
		s, err := sequenceAt(m.Run, 0)
		if err != nil {
			return err
		}
		p, err := m.position(1, len(s.Items))
		if err != nil {
			return err
		}
		return passOn(m.Run, 0, s.Items[p])
	}),
	Grad: opdef.NoGrad,
}
