package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// TensorScatter copies past_cache and writes update into it along an axis, for each sample from its write index on (0 by
// default); in the mode circular it goes on at the start when it comes to the end.
//
// One version, of opset 24.
var opTensorScatter = opdef.Def{
	Type:  "TensorScatter",
	Infer: opdef.SameAsFirst,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return moveStep(c, scatterAlias(c), runTensorScatter), nil
	},
	Grad: gradTensorScatter,
}

// gradTensorScatter: the cache's gradient is that of the output with zeros where something was written; the update's is what
// stands there.
func gradTensorScatter(c *opdef.Grad) error {
	attrs := c.Node.Attrs
	if c.Needs(0) {
		zeros := c.Zeros(c.In(1))
		c.SetDX(0, c.Op("TensorScatter", values{c.DY(0), zeros, c.In(2)}, attrs...))
	}
	if c.Needs(1) {
		c.SetDX(1, c.Private("TensorScatterGrad", values{c.In(1), c.DY(0), c.In(2)}, attrs...))
	}
	return nil
}

func runTensorScatter(m *mover) error {
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	u, err := m.elements(1)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, m.shape(0))
	if err != nil {
		return err
	}
	if !y.same(x) {
		y.from(0, x, 0, x.len())
	}
	return eachWrite(m, m.shape(0), m.shape(1), func(cache, update, n int) { y.from(cache, u, update, n) })
}

// eachWrite calls f for each run of elements that goes from the update to the cache. Input 2 has the write indices.
func eachWrite(m *mover, cache, update []int, f func(cache, update, n int)) error {
	axis, err := opdef.Axis(m.Node.Int("axis", -2), len(cache))
	if err != nil {
		return err
	}
	if axis == 0 || len(update) != len(cache) {
		return onnx.Invalidf("axis %d of shapes %v and %v cannot be written to", axis, cache, update)
	}
	want := slices.Clone(cache)
	if want[axis] = update[axis]; !slices.Equal(want, update) || update[axis] > cache[axis] {
		return onnx.Invalidf("an update of shape %v does not fit a cache of shape %v along axis %d", update, cache, axis)
	}
	mode := m.Node.Str("mode", "linear")
	if mode != "linear" && mode != "circular" {
		return onnx.Invalidf("attribute mode: expected linear or circular, received %.128q", mode)
	}
	starts := integers{}
	if m.Has(2) {
		if starts, err = m.list(2); err != nil {
			return err
		}
		if starts.len() != cache[0] {
			return onnx.Invalidf("write_indices: expected %d, received %d", cache[0], starts.len())
		}
	}
	size, length, count := product(cache[axis+1:]), cache[axis], update[axis]
	middle := product(cache[1:axis])
	for b := range cache[0] {
		start := int64(0)
		if m.Has(2) {
			start = starts.at(b)
		}
		if start < 0 || mode == "linear" && start > int64(length-count) || start > int64(length) {
			return onnx.Invalidf("write_indices[%d]: %d elements from %d on do not fit into %d", b, count, start, length)
		}
		for p := b * middle; p < (b+1)*middle; p++ {
			for i := range count {
				f((p*length+(int(start)+i)%length)*size, (p*count+i)*size, size)
			}
		}
	}
	return nil
}
