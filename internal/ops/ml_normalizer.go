package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Normalizer divides each row of features by its largest element (MAX), the sum of its absolute values (L1) or the root of
// the sum of its squares (L2). A row whose divisor is 0 stays as it is.
var opNormalizer = opdef.Def{
	Type:    "Normalizer",
	Domain:  mlDomain,
	Infer:   func(c *opdef.Infer) error { return c.LikeElem(0, 0, onnx.Float32) },
	Compile: compileNormalizer,
	Grad:    opdef.NoGrad,
}

func compileNormalizer(c *opdef.Compile) (opdef.Step, error) {
	var norm func(x []float64) float64
	switch name := c.Node.Str("norm", "MAX"); name {
	case "MAX":
		norm = slices.Max[[]float64]
	case "L1":
		norm = func(x []float64) (sum float64) {
			for _, v := range x {
				sum += math.Abs(v)
			}
			return sum
		}
	case "L2":
		norm = func(x []float64) float64 { return math.Sqrt(dot(x, x)) }
	default:
		return opdef.Step{}, onnx.Invalidf("attribute norm: expected MAX, L1 or L2, received %.128q", name)
	}
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		s, err := m.samples()
		if err != nil {
			return err
		}
		y, err := m.room(len(s.x))
		if err != nil {
			return err
		}
		for i := range s.n {
			if s.cols == 0 {
				break
			}
			d := norm(s.row(i))
			if d == 0 {
				d = 1
			}
			for j, v := range s.row(i) {
				y[i*s.cols+j] = v / d
			}
		}
		return m.setReals(0, onnx.Float32, m.shape(0), y)
	}), nil
}
