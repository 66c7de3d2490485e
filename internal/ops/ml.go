package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// mlDomain is the domain of the operators of classical machine learning.
const mlDomain = "ai.onnx.ml"

// floatsAttr is a list attribute of n as float64; the exact forms of single precision.
func floatsAttr(n *onnx.Node, name string) []float64 {
	a := n.Attr(name)
	if a == nil {
		return nil
	}
	v := make([]float64, len(a.Floats))
	for i, f := range a.Floats {
		v[i] = float64(f)
	}
	return v
}

// intsAttr is a list attribute of n; nil when absent.
func intsAttr(n *onnx.Node, name string) []int64 { v, _ := n.Ints(name); return v }

// stringsAttr is a list attribute of n; nil when absent.
func stringsAttr(n *onnx.Node, name string) []string {
	if a := n.Attr(name); a != nil {
		return a.Strings
	}
	return nil
}

// realsAttr is the list attribute name, or the tensor attribute nameAsTensor that stands for it.
func realsAttr(n *onnx.Node, name, nameAsTensor string) ([]float64, error) {
	if a := n.Attr(nameAsTensor); a != nil && a.T != nil && a.T.Len() > 0 {
		return tensorReals(a.T)
	}
	return floatsAttr(n, name), nil
}

// tensorReals is the elements of a tensor as float64.
func tensorReals(t *onnx.Tensor) ([]float64, error) {
	conv, err := newConversion(t.Elem, onnx.Float64, float8{})
	if f := familyOf(t.Elem); err != nil || f == wideString || f == wideComplex {
		return nil, badElem(t.Elem)
	}
	y := make([]float64, t.Len())
	return y, conv.run(new(wide), array{size: 8, b: onnx.BytesOf(y)}, spreadTensor(t))
}

// samples is an input of rows of features: [N, C], or one row [C].
type samples struct {
	x       []float64
	n, cols int
}

func (s samples) row(i int) []float64 { return s.x[i*s.cols : (i+1)*s.cols] }

// samples reads input 0 as rows of features.
func (m *mover) samples() (samples, error) {
	shape := m.shape(0)
	s := samples{n: 1}
	switch len(shape) {
	case 1:
		s.cols = shape[0]
	case 2:
		s.n, s.cols = shape[0], shape[1]
	default:
		return s, onnx.Invalidf("expected shape [N, C] or [C], received %v", slices.Clone(shape))
	}
	var err error
	s.x, err = m.reals(0)
	return s, err
}

// rowsDim is the number of rows of features that input 0 has.
func rowsDim(c *opdef.Infer) (onnx.Dim, error) {
	x, err := c.Shape(0)
	switch {
	case err != nil:
		return onnx.Unknown, nil
	case len(x) == 1:
		return onnx.Fixed(1), nil
	case len(x) == 2:
		return x[0], nil
	}
	return onnx.Unknown, onnx.Invalidf("expected shape [N, C] or [C], received %v", c.Ins[0])
}

// labels is the classes that a classifier tells apart.
type labels struct {
	ints    []int64
	strings []string
}

func labelsOf(n *onnx.Node, ints string) labels {
	l := labels{strings: stringsAttr(n, "classlabels_strings")}
	if len(l.strings) == 0 {
		l.ints = intsAttr(n, ints)
	}
	return l
}

func (l labels) len() int { return len(l.ints) + len(l.strings) }

func (l labels) elem() onnx.ElemType {
	if len(l.strings) > 0 {
		return onnx.String
	}
	return onnx.Int64
}

// inferClassifier is the Infer of a classifier: labels [N] and scores [N, classes].
func inferClassifier(ints string, classes func(*opdef.Infer, labels) onnx.Dim) func(*opdef.Infer) error {
	return func(c *opdef.Infer) error {
		n, err := rowsDim(c)
		if err != nil {
			return err
		}
		l := labelsOf(c.Node, ints)
		c.Set(0, l.elem(), n)
		c.Set(1, onnx.Float32, n, classes(c, l))
		return nil
	}
}

// setLabels makes the labels of the classes at, or the numbers themselves where there are no labels, output 0.
func (m *mover) setLabels(l labels, at []int) error {
	if !m.Wants(0) {
		return nil
	}
	shape := m.take(1)
	shape[0] = len(at)
	y, err := m.output(0, l.elem(), shape)
	if err != nil {
		return err
	}
	for i, k := range at {
		switch {
		case len(l.strings) > 0 && k < len(l.strings):
			y.s[i] = l.strings[k]
		case len(l.strings) > 0:
			return onnx.Invalidf("class %d of %d labels", k, len(l.strings))
		case k < len(l.ints):
			onnx.View[int64](y.b)[i] = l.ints[k]
		default:
			onnx.View[int64](y.b)[i] = int64(k)
		}
	}
	return nil
}

// best is the place of the largest score, the first of equals.
func best(scores []float64) int {
	at := 0
	for i, v := range scores {
		if v > scores[at] {
			at = i
		}
	}
	return at
}

// postTransform finds what the attribute post_transform does to a row of scores.
func postTransform(name string) (func(scores []float64), error) {
	switch name {
	case "NONE", "":
		return func([]float64) {}, nil
	case "SOFTMAX":
		return softmaxScores, nil
	case "LOGISTIC":
		return func(s []float64) {
			for i, v := range s {
				s[i] = logistic(v)
			}
		}, nil
	case "SOFTMAX_ZERO":
		return softmaxZero, nil
	case "PROBIT":
		return func(s []float64) {
			for i, v := range s {
				s[i] = math.Sqrt2 * math.Erfinv(2*v-1)
			}
		}, nil
	}
	return nil, onnx.Invalidf("unknown post_transform %.128q", name)
}

// logistic is 1/(1 + e^-v).
func logistic(v float64) float64 {
	if v < 0 {
		return 1 - 1/(1+math.Exp(v))
	}
	return 1 / (1 + math.Exp(-v))
}

func softmaxScores(s []float64) {
	if len(s) == 0 {
		return
	}
	top, sum := slices.Max(s), 0.0
	for i, v := range s {
		s[i] = math.Exp(v - top)
		sum += s[i]
	}
	for i := range s {
		s[i] /= sum
	}
}

// softmaxZero is softmax where scores of zero count as nothing: they stay zero.
func softmaxZero(s []float64) {
	if len(s) == 0 {
		return
	}
	top, sum := slices.Max(s), 0.0
	for i, v := range s {
		if math.Abs(v) > 1e-7 {
			s[i] = math.Exp(v - top)
		} else {
			s[i] = v * math.Exp(-top)
		}
		sum += s[i]
	}
	for i := range s {
		if s[i] /= sum; sum == 0 {
			s[i] = 0.5
		}
	}
}
