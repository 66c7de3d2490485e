package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// BitCast reads the bits of each element as another type of the same size.
var opBitCast = opdef.Def{
	Type: "BitCast",
	Infer: func(c *opdef.Infer) error {
		to := castTarget(c.Node)
		if err := sameBits(c.Elem(0), to); err != nil && c.Elem(0) != onnx.Undefined {
			return err
		}
		return c.LikeElem(0, 0, to)
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		to := castTarget(c.Node)
		if err := sameBits(c.Elem(0), to); err != nil {
			return opdef.Step{}, err
		}
		return moveStep(c, opdef.Step{Alias: []opdef.Alias{{}}}, func(m *mover) error {
			y, err := m.bound(0, to, m.shape(0))
			if x := m.In[0].Data; err == nil && len(x) > 0 && &x[0] != &y.Data[0] {
				copy(y.Data, x)
			}
			return err
		}), nil
	},
	Grad: opdef.NoGrad,
}

func sameBits(from, to onnx.ElemType) error {
	if !to.Valid() || to.Bits() == 0 || from.Bits() != to.Bits() {
		return onnx.Invalidf("expected types of one size, received %v and %v", from, to)
	}
	return nil
}
