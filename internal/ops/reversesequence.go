package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ReverseSequence turns the first sequence_lens[b] elements along time_axis around, for each b of batch_axis. Versions differ
// in types only.
var opReverseSequence = opdef.Def{
	Type:    "ReverseSequence",
	Infer:   opdef.SameAsFirst,
	Compile: moving(runReverseSequence),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Op("ReverseSequence", values{c.DY(0), c.In(1)},
			onnx.Int("batch_axis", c.Node.Int("batch_axis", 1)), onnx.Int("time_axis", c.Node.Int("time_axis", 0))))
		return nil
	},
}

func runReverseSequence(m *mover) error {
	shape, batch, time := m.shape(0), m.Node.Int("batch_axis", 1), m.Node.Int("time_axis", 0)
	if len(shape) < 2 || batch+time != 1 || batch*time != 0 {
		return onnx.Invalidf("expected rank 2 or more and the axes 0 and 1, received shape %v, batch_axis %d, time_axis %d", shape, batch, time)
	}
	lens, err := m.list(1)
	if err != nil {
		return err
	}
	items, steps := shape[batch], shape[time]
	if lens.len() != items {
		return onnx.Invalidf("%d sequence_lens for a batch of %d", lens.len(), items)
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, shape)
	if err != nil {
		return err
	}
	inner := product(shape[2:])
	at := func(b, t int) int {
		if batch == 0 {
			return (b*steps + t) * inner
		}
		return (t*items + b) * inner
	}
	for b := range items {
		n := lens.at(b)
		if n < 0 || n > int64(steps) {
			return onnx.Invalidf("sequence_lens[%d] is %d, the sequence has %d elements", b, n, steps)
		}
		for t := range steps {
			from := t
			if t < int(n) {
				from = int(n) - 1 - t
			}
			y.from(at(b, t), x, at(b, from), inner)
		}
	}
	return nil
}
