package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ScatterND copies the input and writes the blocks of updates at the places that tuples of indices name. Opset 16 added the
// reductions add and mul, 18 max and min.
//
// Where tuples repeat without a reduction the last one wins; the gradient then counts every one of them.
var opScatterND = opdef.Def{
	Type:  "ScatterND",
	Infer: opdef.SameAsFirst,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		f, err := combiner(c.Node.Str("reduction", "none"), c.Elem(0))
		if err != nil {
			return opdef.Step{}, err
		}
		return moveStep(c, scatterAlias(c), func(m *mover) error {
			y, u, err := scatterOperands(m)
			if err != nil {
				return err
			}
			t, err := tuplesOf(m, m.shape(0), 1, 0)
			if err != nil {
				return err
			}
			if !slices.Equal(t.out, m.shape(2)) {
				return onnx.Invalidf("expected updates of shape %v, received %v", slices.Clone(t.out), m.shape(2))
			}
			return t.each(func(i, at int) { f.put(y, at, u, i*t.block, t.block) })
		}), nil
	},
	Grad: func(c *opdef.Grad) error { return gradScatter(c, "GatherND") },
}
