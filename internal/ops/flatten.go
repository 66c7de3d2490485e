package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// Flatten makes a matrix of a tensor: the axes before axis become its rows. Versions differ in types and negative axes only.
var opFlatten = opdef.Def{
	Type: "Flatten",
	Infer: func(c *opdef.Infer) error {
		x, err := c.Shape(0)
		if err != nil {
			return setElem(c, 0, c.Elem(0), err)
		}
		a, err := cutAxis(c.Node.Int("axis", 1), len(x))
		if err != nil {
			return err
		}
		c.Set(0, c.Elem(0), sizeDim(numel(x[:a])), sizeDim(numel(x[a:])))
		return nil
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		axis := c.Node.Int("axis", 1)
		return copyStep(c, opdef.Step{}, func(m *mover) ([]int, error) {
			x, to := m.shape(0), m.take(2)
			a, err := cutAxis(axis, len(x))
			if err == nil {
				to[0], to[1] = product(x[:a]), product(x[a:])
			}
			return to, err
		}), nil
	},
	Grad: gradReshapeLike,
}

// cutAxis is an axis that may also stand behind the last one.
func cutAxis(axis int64, rank int) (int, error) {
	if axis == int64(rank) {
		return rank, nil
	}
	return opdef.Axis(axis, rank)
}
