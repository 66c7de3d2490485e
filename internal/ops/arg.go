package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// inferArg is the Infer of ArgMax and ArgMin.
func inferArg(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		c.SetUnranked(0, onnx.Int64)
		return err
	}
	axis, err := opdef.Axis(c.Node.Int("axis", 0), len(x))
	if err != nil {
		return err
	}
	mask := make([]bool, len(x))
	mask[axis] = true
	c.Set(0, onnx.Int64, reducedShape(x, mask, c.Node.Int("keepdims", 1) != 0, onnx.Fixed(1))...)
	return nil
}

// compileArg compiles ArgMax (most is true) and ArgMin.
func compileArg(most bool) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		last := c.Node.Int("select_last_index", 0) != 0
		switch e := c.Elem(0); e {
		case onnx.Float32:
			return argStep[float32](most, last, nil), nil
		case onnx.Float64:
			return argStep[float64](most, last, nil), nil
		case onnx.Float16, onnx.BFloat16:
			return argStep(most, last, halfCodec(e)), nil
		case onnx.Int64:
			return argStep[int64](most, last, nil), nil
		case onnx.Int32:
			return argStep[int32](most, last, nil), nil
		case onnx.Int16:
			return argStep[int16](most, last, nil), nil
		case onnx.Int8:
			return argStep[int8](most, last, nil), nil
		case onnx.Uint64:
			return argStep[uint64](most, last, nil), nil
		case onnx.Uint32:
			return argStep[uint32](most, last, nil), nil
		case onnx.Uint16:
			return argStep[uint16](most, last, nil), nil
		case onnx.Uint8:
			return argStep[uint8](most, last, nil), nil
		default:
			return opdef.Step{}, badElem(e)
		}
	}
}

// search is the state of an ArgMax or ArgMin step.
type search[T real] struct {
	lines[T]
	better func(a, b T) bool
	last   bool
	index  []int64
}

func argStep[T real](most, last bool, codec *codec[T]) opdef.Step {
	better := func(a, b T) bool { return a < b || a != a && b == b }
	if most {
		better = func(a, b T) bool { return a > b || a != a && b == b }
	}
	return opdef.Step{
		State: func() any {
			l := lines[T]{codec: codec, x: make([][]T, 1), xRaw: make([][]byte, 1)}
			return &search[T]{lines: l, better: better, last: last}
		},
		Run: func(r *opdef.Run) error { return r.State.(*search[T]).run(r) },
	}
}

func (t *search[T]) run(r *opdef.Run) error {
	shape := r.In[0].Shape
	axis, err := opdef.Axis(r.Node.Int("axis", 0), len(shape))
	if err != nil {
		return err
	}
	t.index = opdef.Of[int64](r.Out[0])
	if shape[axis] == 0 && len(t.index) > 0 {
		return onnx.Invalidf("axis %d of shape %v has no elements", axis, shape)
	}
	if t.codec == nil {
		t.x[0] = onnx.View[T](r.In[0].Data)
	} else {
		t.xRaw[0] = r.In[0].Data
	}
	t.cut(shape, axis)
	for len(t.workers) < r.Team.Threads() {
		t.workers = append(t.workers, &lineBuffers[T]{buf: make([][]T, 1)})
	}
	r.Team.DoWorkers((t.count+t.perTile-1)/t.perTile, t)
	return nil
}

// Tile searches some lines.
func (t *search[T]) Tile(worker, i int) {
	w := t.workers[worker]
	for l := i * t.perTile; l < min((i+1)*t.perTile, t.count); l++ {
		t.index[l] = int64(t.find(t.load(w, 0, l/t.stride*t.stride*t.n+l%t.stride)))
	}
}

func (t *search[T]) find(x []T) int {
	best := 0
	for i, v := range x {
		if t.better(v, x[best]) || t.last && !t.better(x[best], v) {
			best = i
		}
	}
	return best
}
