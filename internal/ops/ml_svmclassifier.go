package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SVMClassifier compares features with support vectors: every pair of classes votes, and with prob_a and prob_b the votes of
// pairs become probabilities. Without support vectors each class has a linear function. Sums are taken in float64.
//
// Scores are probabilities [N, classes], the results of pairs [N, classes*(classes-1)/2], of which a single one s becomes -s
// and s, or those of the linear functions.
var opSVMClassifier = opdef.Def{
	Type:   "SVMClassifier",
	Domain: mlDomain,
	Infer: inferClassifier("classlabels_ints", func(c *opdef.Infer, l labels) onnx.Dim {
		s, err := newSVM(c.Node)
		if err != nil {
			return onnx.Unknown
		}
		return onnx.Fixed(s.width())
	}),
	Compile: compileSVMClassifier,
	Grad:    opdef.NoGrad,
}

// svm is what the attributes of an SVMClassifier say.
type svm struct {
	labels                        labels
	weights, vectors, rho, pa, pb []float64
	counts, starts                []int // support vectors of each class
	total, classes                int
	kernel                        func(x, v []float64) float64
	positive                      bool // no weight is negative
	post                          string
	transform                     func([]float64)
}

func newSVM(n *onnx.Node) (*svm, error) {
	s := &svm{
		labels: labelsOf(n, "classlabels_ints"), weights: floatsAttr(n, "coefficients"), vectors: floatsAttr(n, "support_vectors"),
		rho: floatsAttr(n, "rho"), pa: floatsAttr(n, "prob_a"), pb: floatsAttr(n, "prob_b"), positive: true,
		post: n.Str("post_transform", "NONE"),
	}
	for _, v := range intsAttr(n, "vectors_per_class") {
		if v < 0 || v > 1<<28 {
			return nil, onnx.Invalidf("vectors_per_class: %d is not a size", v)
		}
		s.counts, s.starts, s.total = append(s.counts, int(v)), append(s.starts, s.total), s.total+int(v)
	}
	for _, w := range s.weights {
		s.positive = s.positive && w >= 0
	}
	s.classes = max(s.labels.len(), 1)
	name := n.Str("kernel_type", "LINEAR")
	if s.total == 0 {
		name = "LINEAR"
	}
	var err error
	if s.kernel, err = svmKernel(n, name); err != nil {
		return nil, err
	}
	if s.transform, err = postTransform(s.post); err != nil {
		return nil, err
	}
	return s, s.check()
}

func (s *svm) pairs() int { return s.classes * (s.classes - 1) / 2 }

func (s *svm) check() error {
	switch {
	case s.classes > 1<<14:
		return onnx.Unsupportedf("%d classes are too many", s.classes)
	case len(s.rho) == 0:
		return onnx.Invalidf("attribute rho is missing")
	case s.total == 0:
		return nil
	case len(s.counts) != s.classes || len(s.weights) != s.total*(s.classes-1) || len(s.rho) != s.pairs():
		return onnx.Invalidf("%d coefficients, %d rho and the support vectors of %d classes do not fit %d classes with %d support vectors",
			len(s.weights), len(s.rho), len(s.counts), s.classes, s.total)
	case len(s.pa) != len(s.pb) || len(s.pa) != 0 && len(s.pa) != s.pairs():
		return onnx.Invalidf("%d prob_a and %d prob_b for %d pairs", len(s.pa), len(s.pb), s.pairs())
	}
	return nil
}

func (s *svm) probable() bool { return s.total > 0 && len(s.pa) > 0 }

// width is the number of scores.
func (s *svm) width() int {
	n := s.classes
	if s.total > 0 && !s.probable() {
		n = s.pairs()
	}
	if n == 1 && len(s.rho) == 1 && s.labels.len() == 2 {
		return 2
	}
	return n
}

func compileSVMClassifier(c *opdef.Compile) (opdef.Step, error) {
	s, err := newSVM(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	return moveStep(c, opdef.Step{}, s.run), nil
}

func (s *svm) run(m *mover) error {
	x, err := m.samples()
	if err != nil {
		return err
	}
	vectors, ok := onnx.MulSize(s.total, x.cols)
	weights, ok2 := onnx.MulSize(s.classes, x.cols)
	if !ok || !ok2 || s.total > 0 && len(s.vectors) != vectors || s.total == 0 && len(s.weights) != weights {
		return onnx.Invalidf("support vectors of %d numbers and %d coefficients do not fit %d features", len(s.vectors), len(s.weights), x.cols)
	}
	width := s.width()
	size, ok := onnx.MulSize(x.n, width)
	if !ok {
		return onnx.Invalidf("an output of %d rows of %d is too large", x.n, width)
	}
	y, err := m.room(size)
	if err != nil {
		return err
	}
	at := make([]int, x.n)
	for i := range x.n {
		at[i] = s.classify(y[i*width:(i+1)*width], x.row(i))
	}
	if err := m.setLabels(s.labels, at); err != nil {
		return err
	}
	return m.setReals(1, onnx.Float32, []int{x.n, width}, y)
}

// classify writes the scores of x and returns its class.
func (s *svm) classify(y, x []float64) int {
	var scores []float64
	var class int
	top := 0.0
	if s.total == 0 {
		scores = make([]float64, s.classes)
		for k := range scores {
			scores[k] = dot(x, s.weights[k*len(x):]) + s.rho[0]
		}
		class = best(scores)
		top = scores[class]
	} else {
		var votes []float64
		scores, votes = s.vote(x)
		class = best(votes)
		top = votes[class]
	}
	if s.probable() {
		scores = s.probabilities(scores)
	} else if len(s.rho) == 1 {
		class = s.oneFunction(class, top)
	}
	if len(scores) == 1 && len(y) == 2 {
		scores = []float64{-scores[0], scores[0]}
	}
	copy(y, scores)
	s.transform(y)
	return class
}

// oneFunction is the class where there is a single function or pair: with two labels and weights that are not negative, half a
// vote is enough for the second.
func (s *svm) oneFunction(class int, top float64) int {
	switch {
	case s.labels.len() == 2 && s.positive && top >= 0.5:
		return 1
	case s.labels.len() < 2:
		return b2i(top > 0)
	}
	return class
}

// vote lets all pairs of classes vote on x.
func (s *svm) vote(x []float64) (scores, votes []float64) {
	near := make([]float64, s.total)
	supportVectors(near, x, s.vectors, s.kernel)
	votes = make([]float64, s.classes)
	for i := range s.classes {
		for j := i + 1; j < s.classes; j++ {
			v := s.rho[len(scores)] + s.part(near, j-1, i) + s.part(near, i, j)
			scores = append(scores, v)
			votes[i+b2i(v <= 0)*(j-i)]++
		}
	}
	return scores, votes
}

// part is the sum over the support vectors of a class, with the weights of the given row.
func (s *svm) part(near []float64, row, class int) float64 {
	at, n := s.starts[class], s.counts[class]
	return dot(near[at:at+n], s.weights[row*s.total+at:])
}

func (s *svm) probabilities(scores []float64) []float64 {
	p, n := make([]float64, s.classes*s.classes), 0
	for i := range s.classes {
		for j := i + 1; j < s.classes; j++ {
			v := 1 - logistic(float64(scores[n]*s.pa[n])+s.pb[n])
			v = min(max(v, 1e-7), 1-1e-7)
			p[i*s.classes+j], p[j*s.classes+i] = v, 1-v
			n++
		}
	}
	return pairProbabilities(s.classes, p)
}
