package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Det: the determinants of the matrices in the last two axes, by elimination with row exchanges in float64.
//
// Opset 11, 22: types.
var opDet = opdef.Def{
	Type:    "Det",
	Infer:   inferDet,
	Compile: floatKernel(0, detStep[float32], detStep[float64]),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("DetGrad", values{c.DY(0), c.In(0)}))
		return nil
	},
}

func inferDet(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	s, err := c.Shape(0)
	if err != nil {
		return err
	}
	if len(s) < 2 || s[len(s)-1].IsFixed() && s[len(s)-2].IsFixed() && s[len(s)-1] != s[len(s)-2] {
		return onnx.Invalidf("expected square matrices, received %v", c.Ins[0])
	}
	c.Set(0, c.Elem(0), s[:len(s)-2]...)
	return nil
}

// squareSize is the size of the matrices of a tensor.
func squareSize(shape []int) (int, error) {
	if len(shape) < 2 || shape[len(shape)-1] != shape[len(shape)-2] {
		return 0, onnx.Invalidf("expected square matrices, received shape %v", shape)
	}
	return shape[len(shape)-1], nil
}

func detStep[T float](*opdef.Compile) (opdef.Step, error) {
	return opdef.Step{Run: func(r *opdef.Run) error {
		n, err := squareSize(r.In[0].Shape)
		if err != nil {
			return err
		}
		x, y := opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0])
		a := make([]float64, n*n)
		for i := range y {
			for k, v := range x[i*n*n : (i+1)*n*n] {
				a[k] = float64(v)
			}
			y[i] = T(determinant(a, n))
		}
		return nil
	}}, nil
}

// determinant is the determinant of a, n x n, which it overwrites.
func determinant(a []float64, n int) float64 {
	det := 1.0
	for c := range n {
		p := c
		for r := c + 1; r < n; r++ {
			if math.Abs(a[r*n+c]) > math.Abs(a[p*n+c]) {
				p = r
			}
		}
		if a[p*n+c] == 0 {
			return 0
		}
		if p != c {
			det = -det
			for k := range n {
				a[p*n+k], a[c*n+k] = a[c*n+k], a[p*n+k]
			}
		}
		det *= a[c*n+c]
		for r := c + 1; r < n; r++ {
			f := a[r*n+c] / a[c*n+c]
			for k := c; k < n; k++ {
				a[r*n+k] -= f * a[c*n+k]
			}
		}
	}
	return det
}
