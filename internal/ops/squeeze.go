package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Squeeze removes axes of size 1: those listed, or all. Opset 13 made the attribute axes an input.
var opSqueeze = opdef.Def{
	Type:  "Squeeze",
	Infer: inferSqueeze,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return copyStep(c, opdef.Step{}, squeezeTo), nil
	},
	Grad:    gradReshapeLike,
	Upgrade: upgradeShapeAxes,
}

// upgradeShapeAxes makes the attribute axes input 1, as since opset 13.
func upgradeShapeAxes(c *opdef.Rewrite) error {
	if c.Version < 13 {
		intsToInput(c, "axes", 1)
	}
	return c.Err()
}

func inferSqueeze(c *opdef.Infer) error {
	axes, ok := axesOf(c, 1)
	x, err := c.Shape(0)
	if err != nil || !ok {
		if n, ok := lengthOf(c, 1); ok && err == nil && n <= len(x) {
			c.Set(0, c.Elem(0), unknownDims(len(x)-n)...)
			return nil
		}
		return setElem(c, 0, c.Elem(0), opdef.ErrNoRank)
	}
	var out []onnx.Dim
	if !c.Has(1) {
		for _, d := range x {
			switch {
			case !d.IsFixed():
				return setElem(c, 0, c.Elem(0), opdef.ErrNoRank)
			case d.N != 1:
				out = append(out, d)
			}
		}
		c.Set(0, c.Elem(0), out...)
		copyInts(c)
		return nil
	}
	mask, err := opdef.AxisMask(axes, len(x))
	if err != nil {
		return err
	}
	for i, d := range x {
		if !mask[i] { // the run refuses to drop a size other than 1: it may never be reached
			out = append(out, d)
		}
	}
	c.Set(0, c.Elem(0), out...)
	copyInts(c)
	return nil
}

func squeezeTo(m *mover) ([]int, error) {
	x := m.shape(0)
	drop := m.take(len(x))
	if !m.Has(1) {
		for i, d := range x {
			drop[i] = b2i(d == 1)
		}
	} else if err := markAxes(m, 1, drop); err != nil {
		return nil, err
	}
	to := m.take(len(x))[:0]
	for i, d := range x {
		switch {
		case drop[i] == 0:
			to = append(to, d)
		case d != 1:
			return nil, onnx.Invalidf("axis %d of shape %v has not the size 1", i, x)
		}
	}
	return to, nil
}

// markAxes sets mark at the axes listed in input i; an axis out of range or listed twice is an error.
func markAxes(m *mover, i int, mark []int) error {
	axes, err := m.list(i)
	if err != nil {
		return err
	}
	for j := range axes.len() {
		a, err := opdef.Axis(axes.at(j), len(mark))
		if err != nil {
			return err
		}
		if mark[a] != 0 {
			return onnx.Invalidf("axis %d is listed twice", a)
		}
		mark[a] = 1
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
