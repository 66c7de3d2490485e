package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LpNormalization: x divided by its L1 or L2 norm along an axis; zeros where that is 0.
//
// Opset 1, 22: types and wording.
var opLpNormalization = opdef.Def{
	Type:  "LpNormalization",
	Infer: inferLines,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		p, err := lpOf(c.Node)
		if err != nil {
			return opdef.Step{}, err
		}
		return lineFloats(1, lpLine[float32](p), lpLine[float64](p))(c)
	},
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("LpNormalizationGrad", values{c.DY(0), c.In(0)},
			onnx.Int("axis", c.Node.Int("axis", -1)), onnx.Int("p", c.Node.Int("p", 2))))
		return nil
	},
}

// lpOf is the attribute p, 1 or 2.
func lpOf(n *onnx.Node) (int64, error) {
	p := n.Int("p", 2)
	if p != 1 && p != 2 {
		return 0, onnx.Invalidf("attribute p: expected 1 or 2, received %d", p)
	}
	return p, nil
}

func lpNorm[T float](p int64, x []T) T {
	if p == 1 {
		return reduce.All(reduce.SumAbs, x, 0)
	}
	return sqrtOf(reduce.All(reduce.SumSquare, x, 0), 0)
}

func lpLine[T float](p int64) func(y []T, x [][]T) {
	return func(y []T, x [][]T) {
		n := lpNorm(p, x[0])
		if n == 0 {
			clear(y)
			return
		}
		for i, v := range x[0] {
			y[i] = v / n
		}
	}
}
