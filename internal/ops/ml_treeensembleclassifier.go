package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// TreeEnsembleClassifier adds up what the leaves of trees say of each class, and gives the label of the best. Where there are
// two labels and all weights are of one class, they are for the second label: the scores are 1-s and s when no weight is
// negative and there is no transform, else -s and s. Sums are taken in float64.
//
// Version 3 added *_as_tensor; 5 is deprecated and the same.
var opTreeEnsembleClassifier = opdef.Def{
	Type:   "TreeEnsembleClassifier",
	Domain: mlDomain,
	Infer: inferClassifier("classlabels_int64s", func(_ *opdef.Infer, l labels) onnx.Dim {
		return onnx.Fixed(max(l.len(), 2))
	}),
	Compile: compileTreeEnsembleClassifier,
	Grad:    opdef.NoGrad,
}

// treeClassifier is what the attributes of a TreeEnsembleClassifier say.
type treeClassifier struct {
	*forest
	labels    labels
	base      []float64
	classes   int
	single    int // the only class that has weights; -1 when there are several
	positive  bool
	plain     bool // no transform
	transform func([]float64)
}

func compileTreeEnsembleClassifier(c *opdef.Compile) (opdef.Step, error) {
	f, err := forestOf(c.Node, "class")
	if err != nil {
		return opdef.Step{}, err
	}
	t := &treeClassifier{forest: f, labels: labelsOf(c.Node, "classlabels_int64s"), single: -1, positive: true}
	if t.base, err = realsAttr(c.Node, "base_values", "base_values_as_tensor"); err != nil {
		return opdef.Step{}, err
	}
	post := c.Node.Str("post_transform", "NONE")
	if t.transform, err = postTransform(post); err != nil {
		return opdef.Step{}, err
	}
	t.plain = post == "NONE" || post == "PROBIT"
	t.classes = max(t.labels.len(), 1)
	if err := f.checkTargets(t.classes); err != nil {
		return opdef.Step{}, err
	}
	if len(t.base) > 0 && len(t.base) != 1 && len(t.base) != t.classes {
		return opdef.Step{}, onnx.Invalidf("%d base values for %d classes", len(t.base), t.classes)
	}
	t.survey()
	return moveStep(c, opdef.Step{}, t.run), nil
}

// survey finds out whether the weights are of one class, and whether one is negative.
func (t *treeClassifier) survey() {
	for i, w := range t.weights {
		if i == 0 {
			t.single = w.target
		} else if w.target != t.single {
			t.single = -1
		}
		t.positive = t.positive && w.weight >= 0
	}
	if t.classes > 2 {
		t.single = -1
	}
	if t.classes == 1 {
		t.single = 0
	}
}

func (t *treeClassifier) run(m *mover) error {
	s, err := m.samples()
	if err != nil {
		return err
	}
	width := max(t.classes, 2)
	size, ok := onnx.MulSize(s.n, width)
	if !ok {
		return onnx.Invalidf("an output of %d rows of %d is too large", s.n, width)
	}
	y, err := m.room(size)
	if err != nil {
		return err
	}
	if err := m.charge(s.n, 8); err != nil {
		return err
	}
	at, hit := make([]int, s.n), make([]bool, width)
	for i := range s.n {
		row := y[i*width : (i+1)*width]
		if err := t.score(row, hit, s.row(i), sumWeights); err != nil {
			return err
		}
		t.finish(row)
		at[i] = best(row)
	}
	names := t.labels
	if t.classes == 1 {
		names = oneClass(t.labels)
		for i := range at {
			at[i] = 1 - at[i]
		}
	}
	if err := m.setLabels(names, at); err != nil {
		return err
	}
	return m.setReals(1, onnx.Float32, []int{s.n, width}, y)
}

// finish turns a row of sums into scores.
func (t *treeClassifier) finish(row []float64) {
	if t.single < 0 {
		for i := range row {
			if len(t.base) > 0 {
				row[i] += t.base[i%len(t.base)]
			}
		}
		t.transform(row)
		return
	}
	v := row[t.single]
	if len(t.base) > 0 {
		v += t.base[len(t.base)-1]
	}
	if row[0], row[1] = -v, v; t.plain && t.positive {
		row[0] = 1 - v
	}
	t.transform(row)
}
