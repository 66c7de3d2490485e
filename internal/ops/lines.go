package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// lines computes an output line by line along one axis, from inputs of the same shape. It is the state of a step.
type lines[T real] struct {
	f     func(y []T, x [][]T) // y may be an input
	codec *codec[T]            // nil: elements are stored as T

	x        [][]T
	y        []T
	xRaw     [][]byte
	yRaw     []byte
	count, n int // lines; elements of a line
	stride   int // between elements of a line
	perTile  int
	workers  []*lineBuffers[T]
}

type lineBuffers[T real] struct {
	x, buf [][]T
	y      []T
}

// lineStep is the step of y = f(x...) along the axis that axis gives. All inputs up to inputs have y's shape.
func lineStep[T real](inputs int, f func(y []T, x [][]T), codec *codec[T], axis func(r *opdef.Run, rank int) (int, error)) opdef.Step {
	return opdef.Step{
		Alias: aliases(inputs),
		State: func() any {
			return &lines[T]{f: f, codec: codec, x: make([][]T, inputs), xRaw: make([][]byte, inputs)}
		},
		Run: func(r *opdef.Run) error {
			a, err := axis(r, max(1, len(r.Out[0].Shape)))
			if err == nil {
				r.State.(*lines[T]).run(r, a)
			}
			return err
		},
	}
}

func (t *lines[T]) run(r *opdef.Run, axis int) {
	for i := range t.x {
		if t.codec == nil {
			t.x[i] = onnx.View[T](r.In[i].Data)
		} else {
			t.xRaw[i] = r.In[i].Data
		}
	}
	if t.codec == nil {
		t.y = onnx.View[T](r.Out[0].Data)
	} else {
		t.yRaw = r.Out[0].Data
	}
	t.cut(r.Out[0].Shape, axis)
	t.share(r)
}

// apply computes y from x, both of the given shape, along axis.
func (t *lines[T]) apply(r *opdef.Run, shape []int, axis int, y, x []T) {
	t.x, t.y = append(t.x[:0], x), y
	t.cut(shape, axis)
	t.share(r)
}

// fewLines is the number of elements below which lines stay on one thread.
const fewLines = 1 << 15

// share runs all lines on the threads of r.
func (t *lines[T]) share(r *opdef.Run) {
	for len(t.workers) < r.Team.Threads() {
		t.workers = append(t.workers, &lineBuffers[T]{x: make([][]T, len(t.x)), buf: make([][]T, len(t.x))})
	}
	team := r.Team
	if t.count*t.n < fewLines {
		team = nil
	}
	team.DoWorkers((t.count+t.perTile-1)/t.perTile, t)
}

// cut finds the lines of shape along axis. A scalar is one line.
func (t *lines[T]) cut(shape []int, axis int) {
	t.count, t.n, t.stride = 1, 1, 1
	for i, d := range shape {
		switch {
		case i == axis:
			t.n = d
			continue
		case i > axis:
			t.stride *= d
		}
		t.count *= d
	}
	if t.n == 0 {
		t.count = 0
	}
	t.perTile = max(1, tileSize/max(1, t.n))
}

// Tile computes some lines.
func (t *lines[T]) Tile(worker, i int) {
	w := t.workers[worker]
	for l := i * t.perTile; l < min((i+1)*t.perTile, t.count); l++ {
		t.line(w, l/t.stride*t.stride*t.n+l%t.stride)
	}
}

// line computes the line that begins at element lo.
func (t *lines[T]) line(w *lineBuffers[T], lo int) {
	for i := range t.x {
		w.x[i] = t.load(w, i, lo)
	}
	if t.codec == nil && t.stride == 1 {
		t.f(t.y[lo:lo+t.n], w.x)
		return
	}
	w.y = sized(w.y, t.n)
	t.f(w.y, w.x)
	for k, v := range w.y {
		if t.codec != nil {
			t.codec.store(t.yRaw, lo+k*t.stride, v)
		} else {
			t.y[lo+k*t.stride] = v
		}
	}
}

func (t *lines[T]) load(w *lineBuffers[T], i, lo int) []T {
	if t.codec == nil && t.stride == 1 {
		return t.x[i][lo : lo+t.n]
	}
	b := sized(w.buf[i], t.n)
	w.buf[i] = b
	switch {
	case t.codec == nil:
		for k := range b {
			b[k] = t.x[i][lo+k*t.stride]
		}
	case t.stride == 1:
		t.codec.load(b, t.xRaw[i], lo)
	default:
		for k := range b {
			t.codec.load(b[k:k+1], t.xRaw[i], lo+k*t.stride)
		}
	}
	return b
}

// sized is s with n elements, in new memory if s has too little.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// lineFloats compiles y = f(x...) along the attribute axis, whose default is the last, for the floating-point types.
func lineFloats(inputs int, f32 func(y []float32, x [][]float32), f64 func(y []float64, x [][]float64)) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		switch e := c.Elem(0); e {
		case onnx.Float32:
			return lineStep(inputs, f32, nil, attrAxis), nil
		case onnx.Float64:
			return lineStep(inputs, f64, nil, attrAxis), nil
		case onnx.Float16, onnx.BFloat16:
			return lineStep(inputs, f32, halfCodec(e), attrAxis), nil
		default:
			return opdef.Step{}, badElem(e)
		}
	}
}

func attrAxis(r *opdef.Run, rank int) (int, error) { return opdef.Axis(r.Node.Int("axis", -1), rank) }

// inferLines is the Infer of an output like the first input, with an attribute axis.
func inferLines(c *opdef.Infer) error {
	if t, ok := c.In(0); ok && t.Ranked {
		if _, err := opdef.Axis(c.Node.Int("axis", -1), max(1, len(t.Shape))); err != nil {
			return err
		}
	}
	return c.Like(0, 0)
}
