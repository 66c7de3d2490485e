package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.Accumulate: the gradient g, input 1, added to the sum so far, input 0, which counts as zero if the bool first,
// input 2, is true.
var opAccumulate = opdef.Def{
	Type:    "Accumulate",
	Domain:  onnx.Private,
	Schema:  private(3, 1),
	Infer:   opdef.SameAsFirst,
	Grad:    opdef.NoGrad,
	Compile: compileAccumulate,
}

func compileAccumulate(c *opdef.Compile) (opdef.Step, error) {
	switch {
	case c.Elem(1) != c.Elem(0):
		return opdef.Step{}, onnx.Invalidf("gradient of type %v for a sum of type %v", c.Elem(1), c.Elem(0))
	case c.Elem(0) == onnx.Float32:
		return accumulateStep[float32](), nil
	case c.Elem(0) == onnx.Float64:
		return accumulateStep[float64](), nil
	}
	return opdef.Step{}, badElem(c.Elem(0))
}

// accumulation is the state of an Accumulate step.
type accumulation[T float] struct{ sum, g, y []T }

func accumulateStep[T float]() opdef.Step {
	return opdef.Step{
		Alias: []opdef.Alias{{}},
		State: func() any { return new(accumulation[T]) },
		Run: func(r *opdef.Run) error {
			t := r.State.(*accumulation[T])
			t.sum, t.g, t.y = opdef.Of[T](r.In[0]), opdef.Of[T](r.In[1]), opdef.Of[T](r.Out[0])
			if len(t.g) != len(t.y) {
				return onnx.Invalidf("gradient of shape %v for a sum of shape %v", r.In[1].Shape, r.In[0].Shape)
			}
			if opdef.Of[bool](r.In[2])[0] {
				copy(t.y, t.g)
				return nil
			}
			r.Team.Do(tiles(len(t.y)), t)
			return nil
		},
	}
}

// Tile adds tile i.
func (t *accumulation[T]) Tile(i int) {
	for k := i * tileSize; k < min((i+1)*tileSize, len(t.y)); k++ {
		t.y[k] = t.sum[k] + t.g[k]
	}
}
