package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
)

// Binarizer is 1 where an element is above the threshold, else 0.
var opBinarizer = opdef.Def{
	Type:   "Binarizer",
	Domain: mlDomain,
	Infer:  opdef.SameAsFirst,
	Compile: moving(func(m *mover) error {
		x, err := m.reals(0)
		if err != nil {
			return err
		}
		y, err := m.room(len(x))
		if err != nil {
			return err
		}
		threshold := float64(m.Node.Float("threshold", 0))
		for i, v := range x {
			y[i] = float64(b2i(v > threshold))
		}
		return m.setReals(0, m.In[0].Elem, m.shape(0), y)
	}),
	Grad: opdef.ZeroGrad,
}
