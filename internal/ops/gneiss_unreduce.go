package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.Unreduce: the first input, a result of a Reduce operator, repeated along the reduced axes to the shape of the second,
// of which only the shape is read. The optional third input and the attributes keepdims and noop_with_empty_axes are those of
// the Reduce operator.
var opUnreduce = opdef.Def{
	Type:    "Unreduce",
	Domain:  onnx.Private,
	Schema:  &schema.Schema{MinIn: 2, MaxIn: 3, MinOut: 1, MaxOut: 1},
	Infer:   func(c *opdef.Infer) error { return c.LikeElem(0, 1, c.Elem(0)) },
	Grad:    opdef.NoGrad,
	Compile: compileUnreduce,
}

func compileUnreduce(c *opdef.Compile) (opdef.Step, error) {
	switch c.Elem(0).Size() {
	case 1:
		return unreduceStep[uint8](), nil
	case 2:
		return unreduceStep[uint16](), nil
	case 4:
		return unreduceStep[uint32](), nil
	case 8:
		return unreduceStep[uint64](), nil
	}
	return opdef.Step{}, badElem(c.Elem(0))
}

// repeat is the state of a step that repeats a tensor along some axes.
type repeat[T onnx.Number] struct {
	from source[T]
	y    []T
	mask []bool
	kept []int
}

func unreduceStep[T onnx.Number]() opdef.Step {
	return opdef.Step{
		ShapeOnly: []int{1},
		State:     func() any { return new(repeat[T]) },
		Run: func(r *opdef.Run) error {
			t, out := r.State.(*repeat[T]), r.Out[0].Shape
			var axes []int64
			if r.Has(2) {
				axes = opdef.Of[int64](r.In[2])
			}
			var err error
			if t.mask, err = reduceMask(t.mask, r.Node, axes, len(out)); err != nil {
				return err
			}
			t.kept = append(t.kept[:0], out...)
			for i, reduced := range t.mask {
				if reduced {
					t.kept[i] = 1
				}
			}
			t.from.set(onnx.View[T](r.In[0].Data), t.kept, out)
			t.y = onnx.View[T](r.Out[0].Data)
			r.Team.Do(tiles(len(t.y)), t)
			return nil
		},
	}
}

// Tile fills tile i.
func (t *repeat[T]) Tile(i int) {
	lo, hi := i*tileSize, min((i+1)*tileSize, len(t.y))
	if t.from.flat {
		copy(t.y[lo:hi], t.from.data[lo:hi])
		return
	}
	gather(t.y[lo:hi], t.from.data, t.from.axes, lo)
}
