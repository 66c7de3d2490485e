package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func TestGrad_einsum(t *testing.T) {
	r := func(seed uint64, shape ...int) *onnx.Tensor { return random[float64](t, seed, -1, 1, shape...) }
	for equation, in := range map[string]tensors{
		"ij,jk->ik":       {r(1, 2, 3), r(2, 3, 4)},
		"bij,bjk->bik":    {r(1, 2, 2, 3), r(2, 2, 3, 2)},
		"ij->ji":          {r(1, 2, 3)},
		"ij->i":           {r(1, 2, 3)},
		"ij->":            {r(1, 2, 3)},
		"ii->i":           {r(1, 3, 3)},
		"ii":              {r(1, 3, 3)},
		"i,j":             {r(1, 2), r(2, 3)},
		"...ij,...jk":     {r(1, 2, 1, 2, 3), r(2, 4, 3, 2)},
		"a...,b...->...a": {r(1, 2, 3), r(2, 2, 1)},
		"ij,jk,kl->il":    {r(1, 2, 3), r(2, 3, 2), r(3, 2, 2)},
		"bqhd,bkhd->bhqk": {r(1, 1, 2, 2, 3), r(2, 1, 3, 2, 3)},
	} {
		checkGrad(t, "Einsum", in, onnx.Str("equation", equation))
	}
}

func TestEinsum_integers(t *testing.T) {
	x, y := tensor(t, []int8{100, 2, 3, 4}, 2, 2), tensor(t, []int8{2, 0, 1, 1}, 2, 2)
	z := eval(t, "Einsum", tensors{x, y}, onnx.Str("equation", "ij,jk->ik"))
	require.Equal(t, []int8{-54, 2, 10, 4}, onnx.Data[int8](z))
}

func TestGrad_det(t *testing.T) {
	checkGrad(t, "Det", tensors{random[float64](t, 1, -1, 1, 2, 3, 3)})
	checkGrad(t, "Det", tensors{tensor(t, []float64{1, 2, 2, 4}, 2, 2)})
	checkGrad(t, "Det", tensors{random[float64](t, 1, -1, 1, 1, 1)})
}
