package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Slice takes every step-th element from start to end along some axes, as Python does. Opset 10 made the attributes starts,
// ends and axes inputs and added steps.
var opSlice = opdef.Def{
	Type:    "Slice",
	Infer:   inferSlice,
	Compile: moving(runSlice),
	Grad: func(c *opdef.Grad) error {
		in := values{c.In(0), c.DY(0), c.In(1), c.In(2), c.In(3), c.In(4)}
		c.SetDX(0, c.Private("SliceGrad", in))
		return nil
	},
	Upgrade: func(c *opdef.Rewrite) error {
		if c.Version < 10 {
			intsToInput(c, "starts", 1)
			intsToInput(c, "ends", 2)
			intsToInput(c, "axes", 3)
		}
		return c.Err()
	},
}

func inferSlice(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	out := append([]onnx.Dim{}, x...)
	axes, ok := axesOf(c, 3)
	if !c.Has(3) {
		n, have := lengthOf(c, 1)
		if ok = have; ok && n > len(x) {
			return onnx.Invalidf("%d starts for rank %d", n, len(x))
		}
		for i := range n {
			axes = append(axes, int64(i))
		}
	}
	if !ok {
		c.Set(0, c.Elem(0), unknownDims(len(x))...)
		return nil
	}
	mask, err := opdef.AxisMask(axes, len(x))
	if err != nil {
		return err
	}
	starts, okStart := positions(c, 1)
	ends, okEnd := positions(c, 2)
	steps, okStep := positions(c, 4)
	if !c.Has(4) {
		okStep = true
		for range axes {
			steps = append(steps, onnx.Fixed(1))
		}
	}
	if !okStart || !okEnd || !okStep {
		for i := range out {
			if mask[i] {
				out[i] = onnx.Unknown
			}
		}
		c.Set(0, c.Elem(0), out...)
		return nil
	}
	if len(starts) != len(axes) || len(ends) != len(axes) || len(steps) != len(axes) {
		return onnx.Invalidf("%d starts, %d ends, %d axes and %d steps", len(starts), len(ends), len(axes), len(steps))
	}
	for i, axis := range axes {
		if isNumber(steps[i], 0) {
			return onnx.Invalidf("step 0 at axis %d", axis)
		}
		a, _ := opdef.Axis(axis, len(x))
		out[a] = sliceDim(x[a], starts[i], ends[i], steps[i])
	}
	c.Set(0, c.Elem(0), out...)
	if v, ok := c.Ints(0); ok && len(x) == 1 && len(axes) == 1 && known(starts[0], ends[0], steps[0]) && steps[0].N != 0 {
		from, n := sliceRange(int64(len(v)), starts[0].N, ends[0].N, steps[0].N)
		part := make([]onnx.Dim, n)
		for i := range part {
			part[i] = v[from+int64(i)*steps[0].N]
		}
		c.SetInts(0, part)
	}
	return nil
}

// positions is Ints, save that the smallest int64, which inference takes for unknown and files for "the beginning", becomes the
// next larger number, which means the same.
func positions(c *opdef.Infer, i int) ([]onnx.Dim, bool) {
	t := c.Const(i)
	if t == nil || len(t.Shape) > 1 {
		return c.Ints(i)
	}
	ds, ok := opdef.DimsOf(t)
	for j := range ds {
		if ds[j].N == onnx.Unknown.N {
			ds[j].N++
		}
	}
	return ds, ok
}

// sliceDim is the number of elements that a slice of x has.
func sliceDim(x, start, end, step onnx.Dim) onnx.Dim {
	switch {
	case x.IsFixed() && known(start, end, step) && step.N != 0:
		_, n := sliceRange(x.N, start.N, end.N, step.N)
		return onnx.Dim{N: n}
	case isNumber(step, 1) && isNumber(start, 0) && (x.Name != "" && x == end || known(end) && end.N >= 1<<31-1):
		return x
	}
	return onnx.Unknown
}

// sliceRange is the first element and the number of elements of start:end:step over n elements.
func sliceRange(n, start, end, step int64) (from, count int64) {
	lo, hi := int64(0), n // where positions are moved to when they are out of range
	if step < 0 {
		lo, hi = -1, n-1
	}
	clamp := func(v int64) int64 {
		if v < 0 {
			v += n
		}
		return min(max(v, lo), hi)
	}
	from, end = clamp(start), clamp(end)
	switch {
	case step > 0 && end > from:
		return from, (end-from-1)/step + 1
	case step < 0 && end < from:
		return from, int64(uint64(from-end-1)/-uint64(step)) + 1
	}
	return 0, 0
}

// sliced finds the region of input 0 that the inputs starts, ends, axes and steps from first on mean, and its shape.
func sliced(m *mover, shape []int, first int) (region, []int, error) {
	to, from := m.clone(shape), region{stride: m.rowMajor(shape)}
	starts, err := m.list(first)
	if err != nil {
		return from, nil, err
	}
	ends, err := m.list(first + 1)
	if err != nil {
		return from, nil, err
	}
	var axes, steps integers
	if m.Has(first + 2) {
		if axes, err = m.list(first + 2); err != nil {
			return from, nil, err
		}
	}
	if m.Has(first + 3) {
		if steps, err = m.list(first + 3); err != nil {
			return from, nil, err
		}
	}
	n := starts.len()
	if ends.len() != n || m.Has(first+2) && axes.len() != n || m.Has(first+3) && steps.len() != n {
		return from, nil, onnx.Invalidf("%d starts, %d ends, %d axes and %d steps", n, ends.len(), axes.len(), steps.len())
	}
	seen := m.take(len(shape))
	for i := range n {
		axis, step := int64(i), int64(1)
		if axes.len() > 0 {
			axis = axes.at(i)
		}
		if steps.len() > 0 {
			step = steps.at(i)
		}
		a, err := opdef.Axis(axis, len(shape))
		switch {
		case err != nil:
			return from, nil, err
		case step == 0:
			return from, nil, onnx.Invalidf("step 0 at axis %d", a)
		case seen[a] != 0:
			return from, nil, onnx.Invalidf("axis %d is listed twice", a)
		}
		at, count := sliceRange(int64(shape[a]), starts.at(i), ends.at(i), step)
		seen[a], to[a] = 1, int(count)
		from.at += int(at) * from.stride[a]
		if count > 1 { // the stride of one element or none has no meaning and might not fit
			from.stride[a] *= int(step)
		}
	}
	return from, to, nil
}

func runSlice(m *mover) error {
	from, to, err := sliced(m, m.shape(0), 1)
	if err != nil {
		return err
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, to)
	if err != nil {
		return err
	}
	m.strided(y, region{0, m.rowMajor(to)}, x, from, to)
	return nil
}
