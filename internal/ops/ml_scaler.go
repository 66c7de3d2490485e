package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Scaler is (x - offset) * scale, with one offset and scale for all features or one for each.
var opScaler = opdef.Def{
	Type:    "Scaler",
	Domain:  mlDomain,
	Infer:   func(c *opdef.Infer) error { return c.LikeElem(0, 0, onnx.Float32) },
	Compile: compileScaler,
	Grad:    opdef.NoGrad,
}

func compileScaler(c *opdef.Compile) (opdef.Step, error) {
	offset, scale := floatsAttr(c.Node, "offset"), floatsAttr(c.Node, "scale")
	if len(offset) == 0 {
		offset = []float64{0}
	}
	if len(scale) == 0 {
		scale = []float64{1}
	}
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		s, err := m.samples()
		if err != nil {
			return err
		}
		for _, n := range []int{len(offset), len(scale)} {
			if n != 1 && n != s.cols {
				return onnx.Invalidf("expected 1 or %d offsets and scales, received %d and %d", s.cols, len(offset), len(scale))
			}
		}
		y, err := m.room(len(s.x))
		if err != nil {
			return err
		}
		for i, v := range s.x {
			j := i % s.cols
			y[i] = (v - offset[j%len(offset)]) * scale[j%len(scale)]
		}
		return m.setReals(0, onnx.Float32, m.shape(0), y)
	}), nil
}
