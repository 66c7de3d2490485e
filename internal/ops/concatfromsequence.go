package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ConcatFromSequence joins the tensors of a sequence along an axis; with new_axis they are stacked along a new one.
var opConcatFromSequence = opdef.Def{
	Type:    "ConcatFromSequence",
	Infer:   inferConcatFromSequence,
	Compile: boxing(runConcatFromSequence),
	Grad:    opdef.NoGrad,
}

func inferConcatFromSequence(c *opdef.Infer) error {
	t, err := itemTypeOf(c, 0)
	if err != nil {
		return err
	}
	if !t.Ranked {
		c.SetUnranked(0, t.Elem)
		return nil
	}
	stacking := c.Node.Int("new_axis", 0) != 0
	axis, err := sequenceAxis(c.Node, len(t.Shape), stacking)
	if err != nil {
		return err
	}
	if stacking {
		c.SetType(0, stackedType(t, axis, onnx.Unknown))
		return nil
	}
	t = t.Clone()
	t.Shape[axis] = onnx.Unknown
	c.SetType(0, t)
	return nil
}

func sequenceAxis(n *onnx.Node, rank int, stacking bool) (int, error) {
	if stacking {
		rank++
	}
	return concatAxis(n, rank)
}

func runConcatFromSequence(m *mover) error {
	s, err := sequenceAt(m.Run, 0)
	if err != nil {
		return err
	}
	if len(s.Items) == 0 {
		return onnx.Invalidf("the sequence is empty")
	}
	stacking := m.Node.Int("new_axis", 0) != 0
	first := s.Items[0]
	axis, err := sequenceAxis(m.Node, len(first.Shape), stacking)
	if err != nil {
		return err
	}
	to, err := joinedShape(s.Items, axis, stacking)
	if err != nil {
		return err
	}
	if first.Elem.Packed() {
		return badElem(first.Elem)
	}
	y, err := m.output(0, first.Elem, to)
	if err != nil {
		return err
	}
	outer, row, at := product(to[:axis]), product(to[axis:]), 0
	for _, v := range s.Items {
		x := array{size: v.Elem.Size(), b: v.Data, s: v.Strings()}
		n := product(v.Shape[axis:])
		for o := range outer {
			y.from(o*row+at, x, o*n, n)
		}
		at += n
	}
	return nil
}

// joinedShape is the shape of the items joined at axis.
func joinedShape(items []opdef.View, axis int, stacking bool) ([]int, error) {
	x := items[0].Shape
	to := slices.Clone(x)
	if stacking {
		to = slices.Insert(to, axis, len(items))
	} else {
		to[axis] = 0
	}
	for _, v := range items {
		fits := v.Elem == items[0].Elem && len(v.Shape) == len(x) && slices.Equal(v.Shape[:axis], x[:axis])
		if fits && stacking {
			fits = slices.Equal(v.Shape[axis:], x[axis:])
		} else if fits {
			fits = slices.Equal(v.Shape[axis+1:], x[axis+1:])
		}
		if !fits {
			return nil, onnx.Invalidf("shapes %v and %v do not join at axis %d", x, v.Shape, axis)
		}
		if !stacking {
			to[axis] += v.Shape[axis]
		}
	}
	return to, nil
}
