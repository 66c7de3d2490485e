package blocked

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
)

// TestReference compares the definition with package conv.
func TestReference(t *testing.T) {
	r := kerneltest.Rand(1)
	for _, c := range []struct{ c, m, groups int }{{3, 5, 1}, {16, 32, 1}, {20, 20, 20}, {32, 64, 2}} {
		g, err := conv.NewGeometry(2, c.c, c.m, c.groups, []int{7, 9}, []int{3, 2}, []int{2, 1}, []int{1, 2}, []int{1, 0, 1, 2})
		require.NoError(t, err)
		require.True(t, Supports(2, c.c, c.m, c.groups))
		x := kerneltest.Fill(r, make([]float32, 2*g.ImageIn()))
		w := kerneltest.Fill(r, make([]float32, g.Weights()))
		bias := kerneltest.Fill(r, make([]float32, g.M))
		want := make([]float32, 2*g.ImageOut())
		conv.NewPlan[float32](nil, g).Forward(nil, x, conv.Weights[float32]{Data: w}, bias, true, want, nil)

		in := make([]float32, Len(2, g.C, 7*9))
		Pack(nil, in, x, 2, g.C, 7*9)
		out := make([]float32, Len(2, g.M, g.Pixels()))
		(&reference{g: g}).run(nil, in, w, &Epilogue{Bias: bias, Act: Relu}, out, nil)
		got := make([]float32, len(want))
		Unpack(nil, got, out, 2, g.M, g.Pixels())
		require.InDeltaSlice(t, want, got, 1e-5)
	}
}
