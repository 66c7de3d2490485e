package fourier

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlan compares with the definition, for powers of 2, primes and the rest, and goes back.
func TestPlan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 16, 31, 60, 64, 97, 100, 257} {
		p, x := New(n), make([]complex128, n)
		for i := range x {
			x[i] = complex(r.NormFloat64(), r.NormFloat64())
		}
		y, scratch := append([]complex128{}, x...), make([]complex128, p.Scratch())
		p.Forward(y, scratch)
		for k := range n {
			var want complex128
			for j, v := range x {
				want += v * cmplx.Exp(complex(0, -2*math.Pi*float64(j*k%n)/float64(n)))
			}
			require.InDelta(t, 0, cmplx.Abs(want-y[k]), 1e-12*float64(n), "length %d, place %d", n, k)
		}
		p.Inverse(y, scratch)
		for i := range x {
			require.InDelta(t, 0, cmplx.Abs(x[i]-y[i]), 1e-13*float64(n))
		}
	}
}

func TestMirror(t *testing.T) {
	x := []complex128{1 + 9i, 2 + 3i, 4 + 9i, 0}
	Mirror(x)
	require.Equal(t, []complex128{1, 2 + 3i, 4, 2 - 3i}, x)
	x = []complex128{1, 2 + 3i, 0}
	Mirror(x)
	require.Equal(t, []complex128{1, 2 + 3i, 2 - 3i}, x)
}
