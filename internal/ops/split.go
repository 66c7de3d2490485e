package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Split cuts a tensor along an axis: into parts of the given sizes, or into equal parts of which the last may be smaller.
//
// Opset 2 made the input split an attribute, 13 made it an input again, 18 added num_outputs.
var opSplit = opdef.Def{
	Type:    "Split",
	Infer:   inferSplit,
	Compile: moving(runSplit),
	Grad:    gradSplit,
	Upgrade: func(c *opdef.Rewrite) error {
		if c.Version < 13 {
			intsToInput(c, "split", 1)
		}
		if c.Version < 18 && c.Node.In(1) == nil {
			c.Node.SetAttr(onnx.Int("num_outputs", int64(c.Node.NumOut())))
		}
		return c.Err()
	},
}

func inferSplit(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		for i := range c.Outs {
			c.SetUnranked(i, c.Elem(0))
		}
		return err
	}
	axis, err := opdef.Axis(c.Node.Int("axis", 0), len(x))
	if err != nil {
		return err
	}
	sizes, err := splitDims(c, x[axis])
	if err != nil {
		return err
	}
	out := append([]onnx.Dim{}, x...)
	for i := range c.Outs {
		out[axis] = sizes[i]
		c.Set(i, c.Elem(0), out...)
	}
	return nil
}

// splitCount is the number of parts; outputs behind the last one that is used may be missing.
func splitCount(n *onnx.Node, outs int) (int, error) {
	parts := n.Int("num_outputs", int64(outs))
	if parts < int64(outs) || parts < 1 || parts > 1<<20 {
		return 0, onnx.Invalidf("num_outputs is %d for %d outputs", parts, outs)
	}
	return int(parts), nil
}

func splitDims(c *opdef.Infer, total onnx.Dim) ([]onnx.Dim, error) {
	n, err := splitCount(c.Node, len(c.Outs))
	if err != nil {
		return nil, err
	}
	if !c.Has(1) {
		sizes := unknownDims(n)
		if total.IsFixed() {
			for i := range sizes {
				s, _ := evenPart(int(total.N), n, i) // the run refuses what does not fit: it may never be reached
				sizes[i] = onnx.Fixed(s)
			}
		}
		return sizes, nil
	}
	sizes, ok := c.Ints(1)
	if !ok {
		return unknownDims(n), nil
	}
	if len(sizes) < n {
		return nil, onnx.Invalidf("%d sizes for %d outputs", len(sizes), n)
	}
	for _, d := range sizes {
		if known(d) && d.N < 0 {
			return nil, onnx.Invalidf("split %v has a negative size", sizes)
		}
	}
	return sizes, nil
}

// evenPart is the size of part i of total cut into n parts, all of one size but the last.
func evenPart(total, n, i int) (int, error) {
	size := (total + n - 1) / n
	if last := total - (n-1)*size; i == n-1 {
		if last < 0 {
			return 0, onnx.Invalidf("%d elements do not make %d parts", total, n)
		}
		return last, nil
	}
	return size, nil
}

func runSplit(m *mover) error {
	shape := m.shape(0)
	axis, err := opdef.Axis(m.Node.Int("axis", 0), len(shape))
	if err != nil {
		return err
	}
	sizes, err := splitSizes(m, shape[axis])
	if err != nil {
		return err
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	to := m.clone(shape)
	outer, inner, at := product(shape[:axis]), product(shape[axis+1:]), 0
	for i, size := range sizes {
		n := size * inner
		if m.Wants(i) {
			to[axis] = size
			y, err := m.output(i, m.In[0].Elem, to)
			if err != nil {
				return err
			}
			for o := range outer {
				y.from(o*n, x, o*shape[axis]*inner+at, n)
			}
		}
		at += n
	}
	return nil
}

func splitSizes(m *mover, total int) ([]int, error) {
	n, err := splitCount(m.Node, len(m.Out))
	if err != nil {
		return nil, err
	}
	if m.Has(1) {
		x, err := m.list(1)
		if err != nil {
			return nil, err
		}
		sizes, err := m.sizes(x)
		if err != nil {
			return nil, err
		}
		left := total
		for _, s := range sizes {
			if left -= s; left < 0 {
				break
			}
		}
		if left != 0 || len(sizes) < n {
			return nil, onnx.Invalidf("split %v does not cut %d into %d parts", sizes, total, n)
		}
		return sizes, nil
	}
	sizes := m.take(n)
	for i := range sizes {
		var err error
		if sizes[i], err = evenPart(total, n, i); err != nil {
			return nil, err
		}
	}
	return sizes, nil
}

func gradSplit(c *opdef.Grad) error {
	var parts values
	for i := range c.Node.NumOut() {
		switch {
		case c.DY(i) != nil:
			parts = append(parts, c.DY(i))
		default:
			parts = append(parts, c.Zeros(c.Y(i)))
		}
	}
	c.SetDX(0, c.Op("Concat", parts, onnx.Int("axis", c.Node.Int("axis", 0))))
	return nil
}
