package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SVMRegressor is a weighted sum over support vectors, or a linear function when n_supports is 0. With one_class it is 1 for
// sums above 0, else -1. Sums are taken in float64.
var opSVMRegressor = opdef.Def{
	Type:   "SVMRegressor",
	Domain: mlDomain,
	Infer: func(c *opdef.Infer) error {
		n, err := rowsDim(c)
		if err == nil {
			c.Set(0, onnx.Float32, n, onnx.Fixed(1))
		}
		return err
	},
	Compile: compileSVMRegressor,
	Grad:    opdef.NoGrad,
}

func compileSVMRegressor(c *opdef.Compile) (opdef.Step, error) {
	n := c.Node
	weights, vectors, rho := floatsAttr(n, "coefficients"), floatsAttr(n, "support_vectors"), floatsAttr(n, "rho")
	supports, name := n.Int("n_supports", 0), n.Str("kernel_type", "LINEAR")
	if supports == 0 {
		name = "LINEAR"
	}
	kernel, err := svmKernel(n, name)
	if err != nil {
		return opdef.Step{}, err
	}
	if len(rho) == 0 || supports < 0 || supports > 0 && int64(len(weights)) != supports {
		return opdef.Step{}, onnx.Invalidf("%d coefficients and %d rho for %d support vectors", len(weights), len(rho), supports)
	}
	transform, err := postTransform(n.Str("post_transform", "NONE"))
	oneClass := n.Int("one_class", 0) != 0
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		s, err := m.samples()
		if err != nil {
			return err
		}
		if want, ok := onnx.MulSize(int(supports), s.cols); !ok || supports > 0 && len(vectors) != want || supports == 0 && len(weights) != s.cols {
			return onnx.Invalidf("%d support vectors of %d numbers and %d coefficients do not fit %d features", supports, len(vectors), len(weights), s.cols)
		}
		y, err := m.room(s.n)
		if err != nil {
			return err
		}
		near := make([]float64, supports)
		for i := range y {
			if supports > 0 {
				supportVectors(near, s.row(i), vectors, kernel)
				y[i] = dot(near, weights) + rho[0]
			} else {
				y[i] = dot(s.row(i), weights) + rho[0]
			}
			if transform(y[i : i+1]); oneClass {
				y[i] = float64(2*b2i(y[i] > 0) - 1)
			}
		}
		return m.setReals(0, onnx.Float32, []int{s.n, 1}, y)
	}), err
}
