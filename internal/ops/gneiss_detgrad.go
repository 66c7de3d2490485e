package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// DetGrad: the gradient of Det from (dY, X): dY times the matrix of cofactors, which exists for singular matrices too.
var opDetGrad = opdef.Def{
	Type:    "DetGrad",
	Domain:  onnx.Private,
	Schema:  private(2, 1),
	Infer:   func(c *opdef.Infer) error { return c.Like(0, 1) },
	Compile: floatKernel(0, detGradStep[float32], detGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func detGradStep[T float](*opdef.Compile) (opdef.Step, error) {
	return opdef.Step{Run: func(r *opdef.Run) error {
		n, err := squareSize(r.In[1].Shape)
		if err != nil {
			return err
		}
		dy, x, dx := opdef.Of[T](r.In[0]), opdef.Of[T](r.In[1]), opdef.Of[T](r.Out[0])
		minor := make([]float64, max(0, n-1)*max(0, n-1))
		for i, d := range dy {
			a, to := x[i*n*n:(i+1)*n*n], dx[i*n*n:(i+1)*n*n]
			for e := range to {
				to[e] = d * T(cofactor(a, minor, n, e/n, e%n))
			}
		}
		return nil
	}}, nil
}

// cofactor is the signed determinant of a without a row and a column.
func cofactor[T float](a []T, minor []float64, n, row, col int) float64 {
	k := 0
	for e, v := range a {
		if e/n != row && e%n != col {
			minor[k] = float64(v)
			k++
		}
	}
	d := determinant(minor, n-1)
	if (row+col)%2 == 1 {
		return -d
	}
	return d
}
