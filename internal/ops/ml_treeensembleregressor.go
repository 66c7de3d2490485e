package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// TreeEnsembleRegressor adds up what the leaves of trees say of each target. base_values are added after the aggregation.
// Sums are taken in float64.
//
// Version 3 added *_as_tensor; 5 is deprecated and the same.
var opTreeEnsembleRegressor = opdef.Def{
	Type:   "TreeEnsembleRegressor",
	Domain: mlDomain,
	Infer: func(c *opdef.Infer) error {
		n, err := rowsDim(c)
		if err == nil {
			c.Set(0, onnx.Float32, n, sizeDim(onnx.Dim{N: c.Node.Int("n_targets", onnx.Unknown.N)}))
		}
		return err
	},
	Compile: compileTreeEnsembleRegressor,
	Grad:    opdef.NoGrad,
}

func aggregateOf(name string) (aggregate, error) {
	for i, s := range []string{"AVERAGE", "SUM", "MIN", "MAX"} {
		if s == name {
			return aggregate(i), nil
		}
	}
	return 0, onnx.Invalidf("attribute aggregate_function: expected AVERAGE, SUM, MIN or MAX, received %.128q", name)
}

func compileTreeEnsembleRegressor(c *opdef.Compile) (opdef.Step, error) {
	f, err := forestOf(c.Node, "target")
	if err != nil {
		return opdef.Step{}, err
	}
	how, err := aggregateOf(c.Node.Str("aggregate_function", "SUM"))
	if err != nil {
		return opdef.Step{}, err
	}
	base, err := realsAttr(c.Node, "base_values", "base_values_as_tensor")
	if err != nil {
		return opdef.Step{}, err
	}
	transform, err := postTransform(c.Node.Str("post_transform", "NONE"))
	if err != nil {
		return opdef.Step{}, err
	}
	targets, err := f.targets(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	if len(base) > 1 && len(base) != targets {
		return opdef.Step{}, onnx.Invalidf("%d base values for %d targets", len(base), targets)
	}
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		return runForest(m, f, how, targets, onnx.Float32, func(row []float64) {
			for i := range row {
				if len(base) > 0 {
					row[i] += base[i%len(base)]
				}
			}
			transform(row)
		})
	}), nil
}

// targets is the attribute n_targets, or as many as the weights need.
func (f *forest) targets(n *onnx.Node) (int, error) {
	least := int64(0)
	for _, w := range f.weights {
		least = max(least, int64(w.target)+1)
	}
	k := n.Int("n_targets", least)
	if k < 0 || k > 1<<28 {
		return 0, onnx.Invalidf("attribute n_targets: expected a size, received %d", k)
	}
	return int(k), f.checkTargets(int(k))
}

// runForest scores all rows; finish has the last word on each row of scores.
func runForest(m *mover, f *forest, how aggregate, targets int, e onnx.ElemType, finish func(row []float64)) error {
	s, err := m.samples()
	if err != nil {
		return err
	}
	size, ok := onnx.MulSize(s.n, targets)
	if !ok {
		return onnx.Invalidf("an output of %d rows of %d is too large", s.n, targets)
	}
	y, err := m.room(size)
	if err != nil {
		return err
	}
	hit := make([]bool, targets)
	for i := range s.n {
		row := y[i*targets : (i+1)*targets]
		if err := f.score(row, hit, s.row(i), how); err != nil {
			return err
		}
		finish(row)
	}
	return m.setReals(0, e, []int{s.n, targets}, y)
}
