package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// windowing makes the operator for a window: a sum of cosines, where weight k belongs to k oscillations. A periodic window
// is one element short of closing; a symmetric one of one element is 1.
func windowing(name string, weights ...float64) opdef.Def {
	return opdef.Def{
		Type:    name,
		Infer:   inferWindow,
		Compile: moving(func(m *mover) error { return runWindow(m, weights) }),
		Grad:    opdef.ZeroGrad,
		Widen:   widenType("output_datatype", onnx.Float32),
	}
}

func inferWindow(c *opdef.Infer) error {
	e, err := dtypeAttr(c.Node, "output_datatype", onnx.Float32)
	if err == nil {
		c.Set(0, e, scalarDim(c, 0))
	}
	return err
}

func runWindow(m *mover, weights []float64) error {
	e, err := dtypeAttr(m.Node, "output_datatype", onnx.Float32)
	if err != nil {
		return err
	}
	n, err := m.size(0, 0)
	if err != nil {
		return err
	}
	y, err := m.room(n)
	if err != nil {
		return err
	}
	period := n
	if m.Node.Int("periodic", 1) == 0 {
		period--
	}
	for i := range y {
		for k, w := range weights {
			y[i] += float64(w * math.Cos(2*math.Pi*float64(k)*float64(i)/float64(period)))
		}
		if period == 0 {
			y[i] = 1
		}
	}
	to := m.take(1)
	to[0] = n
	return m.setReals(0, e, to, y)
}
