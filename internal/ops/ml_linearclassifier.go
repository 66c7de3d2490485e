package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LinearClassifier scores classes by linear functions of the features and gives the label of the best. Where there is one
// function for two labels, the scores are -s and s. The attribute multi_class means nothing, as in the reference
// implementation. Sums are taken in float64.
var opLinearClassifier = opdef.Def{
	Type:    "LinearClassifier",
	Domain:  mlDomain,
	Infer:   inferClassifier("classlabels_ints", linearClasses),
	Compile: compileLinearClassifier,
	Grad:    opdef.NoGrad,
}

func linearClasses(c *opdef.Infer, l labels) onnx.Dim {
	if n := l.len(); n > 0 {
		return onnx.Fixed(n)
	}
	return onnx.Unknown
}

// linearModel is a set of linear functions.
type linearModel struct{ weights, bias []float64 }

func linearOf(n *onnx.Node) linearModel {
	return linearModel{weights: floatsAttr(n, "coefficients"), bias: floatsAttr(n, "intercepts")}
}

// count is the number of functions of that many features.
func (l linearModel) count(features int) (int, error) {
	if features < 1 || len(l.weights)%features != 0 {
		return 0, onnx.Invalidf("%d coefficients do not fit %d features", len(l.weights), features)
	}
	n := len(l.weights) / features
	if len(l.bias) != 0 && len(l.bias) != 1 && len(l.bias) != n {
		return 0, onnx.Invalidf("%d intercepts for %d functions", len(l.bias), n)
	}
	return n, nil
}

// apply computes all functions of a row of features.
func (l linearModel) apply(y, x []float64) {
	for k := range y {
		y[k] = dot(x, l.weights[k*len(x):])
		switch {
		case len(l.bias) == 1:
			y[k] += l.bias[0]
		case len(l.bias) > 1:
			y[k] += l.bias[k]
		}
	}
}

// dot is the sum of the products of x and the first elements of w, each rounded, so that every build gives the same bits.
func dot(x, w []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += float64(v * w[i])
	}
	return sum
}

func compileLinearClassifier(c *opdef.Compile) (opdef.Step, error) {
	f, l := linearOf(c.Node), labelsOf(c.Node, "classlabels_ints")
	transform, err := postTransform(c.Node.Str("post_transform", "NONE"))
	threshold := 0.5
	if c.Node.Str("post_transform", "NONE") == "NONE" {
		threshold = 0
	}
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		s, err := m.samples()
		if err != nil {
			return err
		}
		k, err := f.count(s.cols)
		if err != nil {
			return err
		}
		classes := k
		if k == 1 && l.len() == 2 {
			classes = 2
		}
		y, err := m.room(s.n * classes)
		if err != nil {
			return err
		}
		at := make([]int, s.n)
		for i := range s.n {
			row := y[i*classes : (i+1)*classes]
			f.apply(row[:k], s.row(i))
			if classes > k {
				row[0], row[1] = -row[0], row[0]
			}
			transform(row)
			if at[i] = best(row); classes == 1 {
				at[i] = 1 - b2i(row[0] >= threshold)
			}
		}
		names := l
		if classes == 1 {
			names = oneClass(l)
		}
		if err := m.setLabels(names, at); err != nil {
			return err
		}
		return m.setReals(1, onnx.Float32, []int{s.n, classes}, y)
	}), err
}

// oneClass adds what stands for "not this class" to a single label: 0, or the empty string. Without labels it is 1 and 0.
func oneClass(l labels) labels {
	switch {
	case len(l.strings) > 0:
		return labels{strings: []string{l.strings[0], ""}}
	case len(l.ints) > 0:
		return labels{ints: []int64{l.ints[0], 0}}
	}
	return labels{ints: []int64{1, 0}}
}
