package ops

import (
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// classLoss is what the losses over classes share: scores have the shape [N, C, d...], labels [N, d...], weights [C].
type classLoss struct {
	classes, inner, n int // C; product of d; N times that
	labels            []int64
	labels32          []int32 // instead of labels
	ignore            int64
	ignoring          bool
	mean, none        bool
}

// set looks at the shape of scores, the labels and the node's attributes.
func (l *classLoss) set(n *onnx.Node, scores []int, labels opdef.View) error {
	*l = classLoss{}
	if len(scores) < 2 {
		return onnx.Invalidf("expected scores of rank 2 or more, received shape %v", scores)
	}
	l.classes, l.inner = scores[1], 1
	for _, d := range scores[2:] {
		l.inner *= d
	}
	l.n = scores[0] * l.inner
	if labels.Len() != l.n {
		return onnx.Invalidf("labels of shape %v do not fit scores of shape %v", labels.Shape, scores)
	}
	switch labels.Elem {
	case onnx.Int64:
		l.labels = opdef.Of[int64](labels)
	case onnx.Int32:
		l.labels32 = opdef.Of[int32](labels)
	default:
		return badElem(labels.Elem)
	}
	if a := n.Attr("ignore_index"); a != nil {
		l.ignoring, l.ignore = true, a.I
	}
	switch r := n.Str("reduction", "mean"); r {
	case "mean":
		l.mean = true
	case "none":
		l.none = true
	case "sum":
	default:
		return onnx.Invalidf("reduction: expected \"none\", \"sum\" or \"mean\", received %.128q", r)
	}
	return nil
}

// class is the label of sample i; ok is false where it is to be ignored.
func (l *classLoss) class(i int) (class int, ok bool, err error) {
	var v int64
	if l.labels32 != nil {
		v = int64(l.labels32[i])
	} else {
		v = l.labels[i]
	}
	if l.ignoring && v == l.ignore {
		return 0, false, nil
	}
	if v < 0 || v >= int64(l.classes) {
		return 0, false, onnx.Invalidf("label %d is out of range for %d classes", v, l.classes)
	}
	return int(v), true, nil
}

// at is where the score of a class of sample i is.
func (l *classLoss) at(i, class int) int {
	return (i/l.inner*l.classes+class)*l.inner + i%l.inner
}

func weightOf[T float](w []T, class int) T {
	if w == nil {
		return 1
	}
	return w[class]
}

// losses fills loss with -weight * logp of each sample and weights with the weights, 0 where a sample is ignored.
func losses[T float](l *classLoss, logp, w, loss, weights []T) error {
	for i := range l.n {
		class, ok, err := l.class(i)
		if err != nil {
			return err
		}
		loss[i], weights[i] = 0, 0
		if ok {
			weights[i] = weightOf(w, class)
			loss[i] = -weights[i] * logp[l.at(i, class)]
		}
	}
	return nil
}

// divisor is by what the sum of losses is divided: the sum of weights for a mean.
func divisor[T float](l *classLoss, weights []T) T {
	if !l.mean {
		return 1
	}
	return reduce.All(reduce.Sum, weights, 0)
}

// scoreSlopes fills dx with the gradient of the loss in the log-probabilities: -weight * dy at the label's class, 0 elsewhere.
// slope, of n elements, is filled with weight * dy of each sample.
func scoreSlopes[T float](l *classLoss, dy, w, slope []T) error {
	for i := range l.n {
		class, ok, err := l.class(i)
		if err != nil {
			return err
		}
		slope[i] = 0
		if ok {
			slope[i] = weightOf(w, class)
		}
	}
	div := divisor(l, slope)
	for i := range slope {
		d := dy[0]
		if l.none {
			d = dy[i]
		}
		if slope[i] != 0 {
			slope[i] *= d / div
		}
	}
	return nil
}

// inferLoss gives output 0 the shape of labels, or none.
func inferLoss(c *opdef.Infer) error {
	e := c.Elem(0)
	if c.Node.Str("reduction", "mean") != "none" {
		c.Set(0, e)
		return nil
	}
	return c.LikeElem(0, 1, e)
}

// lossTensors is the tensors of a loss as numbers of type T, to which 16-bit types are widened. It is the state of a step.
type lossTensors[T float] struct {
	*opdef.Run
	codec   *codec[T]
	loss    classLoss
	scratch []T
	lines   lines[T]
}

// take is n elements of scratch memory.
func (t *lossTensors[T]) take(n int) []T {
	s := t.scratch[:n]
	t.scratch = t.scratch[n:]
	return s
}

// in is the elements of input i; nil when it is absent.
func (t *lossTensors[T]) in(i int) []T {
	if !t.Has(i) {
		return nil
	}
	if t.codec == nil {
		return onnx.View[T](t.In[i].Data)
	}
	x := t.take(t.In[i].Len())
	t.codec.load(x, t.In[i].Data, 0)
	return x
}

// out is where the elements of output i are computed; store must follow.
func (t *lossTensors[T]) out(i, n int) []T {
	if t.codec == nil && t.Wants(i) {
		return onnx.View[T](t.Out[i].Data)
	}
	return t.take(n)
}

// store puts what is in out's memory into output i.
func (t *lossTensors[T]) store(i int, x []T) {
	for k := 0; t.codec != nil && t.Wants(i) && k < len(x); k++ {
		t.codec.store(t.Out[i].Data, k, x[k])
	}
}

// finish writes output 0: the losses of all samples, their sum or their mean.
func (t *lossTensors[T]) finish(l *classLoss, logp, w []T) error {
	loss, weights := t.take(l.n), t.take(l.n)
	if err := losses(l, logp, w, loss, weights); err != nil {
		return err
	}
	if !l.none {
		total := reduce.All(reduce.Sum, loss, 0) / divisor(l, weights)
		loss = t.take(1)
		loss[0] = total
	}
	if t.codec == nil {
		copy(onnx.View[T](t.Out[0].Data), loss)
	}
	t.store(0, loss)
	return nil
}

// compileLoss compiles a loss, or its gradient, from its run functions.
func compileLoss(f32 func(*lossTensors[float32]) error, f64 func(*lossTensors[float64]) error) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		switch e := c.Elem(0); e {
		case onnx.Float32:
			return lossStep(f32, nil), nil
		case onnx.Float64:
			return lossStep(f64, nil), nil
		case onnx.Float16, onnx.BFloat16:
			return lossStep(f32, halfCodec(e)), nil
		default:
			return opdef.Step{}, badElem(e)
		}
	}
}

// lossStep has scratch for one output and two numbers per sample, and for widened inputs.
func lossStep[T float](f func(*lossTensors[T]) error, codec *codec[T]) opdef.Step {
	return opdef.Step{
		Scratch: func(b *opdef.Bound) int {
			n := 2 // a loss may have no samples
			for i := range b.In {
				if !b.In[i].Absent() {
					n += 2 * b.In[i].Len()
				}
			}
			return n * int(unsafe.Sizeof(T(0)))
		},
		State: func() any { return &lossTensors[T]{codec: codec, lines: lines[T]{f: logSoftmaxLine[T]}} },
		Run: func(r *opdef.Run) error {
			t := r.State.(*lossTensors[T])
			t.Run, t.scratch = r, onnx.View[T](r.Scratch)
			return f(t)
		},
	}
}
