package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LinearRegressor computes linear functions of the features, one per target. Sums are taken in float64.
var opLinearRegressor = opdef.Def{
	Type:   "LinearRegressor",
	Domain: mlDomain,
	Infer: func(c *opdef.Infer) error {
		n, err := rowsDim(c)
		if err == nil {
			c.Set(0, onnx.Float32, n, sizeDim(onnx.Dim{N: c.Node.Int("targets", 1)}))
		}
		return err
	},
	Compile: compileLinearRegressor,
	Grad:    opdef.NoGrad,
}

func compileLinearRegressor(c *opdef.Compile) (opdef.Step, error) {
	f, targets := linearOf(c.Node), c.Node.Int("targets", 1)
	transform, err := postTransform(c.Node.Str("post_transform", "NONE"))
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		s, err := m.samples()
		if err != nil {
			return err
		}
		k, err := f.count(s.cols)
		if err == nil && int64(k) != targets {
			err = onnx.Invalidf("%d coefficients for %d targets of %d features", len(f.weights), targets, s.cols)
		}
		if err != nil {
			return err
		}
		y, err := m.room(s.n * k)
		if err != nil {
			return err
		}
		for i := range s.n {
			row := y[i*k : (i+1)*k]
			f.apply(row, s.row(i))
			transform(row)
		}
		return m.setReals(0, onnx.Float32, []int{s.n, k}, y)
	}), err
}
