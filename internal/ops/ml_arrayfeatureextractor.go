package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ArrayFeatureExtractor selects columns: elements of the last axis by the indices in the second input. A list [C] counts as
// one row.
var opArrayFeatureExtractor = opdef.Def{
	Type:    "ArrayFeatureExtractor",
	Domain:  mlDomain,
	Infer:   inferArrayFeatureExtractor,
	Compile: moving(runArrayFeatureExtractor),
	Grad:    opdef.NoGrad,
}

func inferArrayFeatureExtractor(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	if len(x) == 0 {
		return onnx.Invalidf("expected rank 1 or more, received a scalar")
	}
	n := onnx.Unknown
	if y, err := c.Shape(1); err == nil {
		n = numel(y)
	}
	out := append(slices.Clone(x[:len(x)-1]), n)
	if len(x) == 1 {
		out = []onnx.Dim{onnx.Fixed(1), n}
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

func runArrayFeatureExtractor(m *mover) error {
	shape := m.shape(0)
	if len(shape) == 0 {
		return onnx.Invalidf("expected rank 1 or more, received a scalar")
	}
	at, err := integersOf(m.In[1])
	if err != nil {
		return err
	}
	cols, n := shape[len(shape)-1], at.len()
	to := append(slices.Clone(shape[:len(shape)-1]), n)
	if len(shape) == 1 {
		to = []int{1, n}
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, to)
	if err != nil {
		return err
	}
	for j := range n {
		col, err := at.index(j, cols)
		if err != nil {
			return err
		}
		for i := range product(to[:len(to)-1]) {
			y.from(i*n+j, x, i*cols+col, 1)
		}
	}
	return nil
}
