package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// SequenceErase is the sequence without the tensor at a position, the last one when none is given.
var opSequenceErase = opdef.Def{
	Type:  "SequenceErase",
	Infer: opdef.SameAsFirst,
	Compile: boxing(func(m *mover) error {
		s, err := sequenceAt(m.Run, 0)
		if err != nil {
			return err
		}
		p, err := m.position(1, len(s.Items))
		if err != nil {
			return err
		}
		setSequence(m.Run, 0, s.Of, slices.Concat(s.Items[:p], s.Items[p+1:]))
		return nil
	}),
	Grad: opdef.NoGrad,
}
