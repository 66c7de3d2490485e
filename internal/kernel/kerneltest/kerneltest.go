// Package kerneltest holds what the tests of several kernels share: guarded
// buffers, hostile values and tolerances. Only tests import it.
package kerneltest

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Float is the element type of the buffers.
type Float interface{ float32 | float64 }

// Threads are the team sizes that must all give the same bits.
var Threads = []int{1, 2, 3, 7}

// Edges returns the sizes 0 and 1 and those around the multiples of tile up
// to twice the tile.
func Edges(tile int) []int {
	sizes := []int{0, 1}
	for _, n := range []int{tile, 2 * tile} {
		sizes = append(sizes, n-1, n, n+1)
	}
	return sizes
}

// Guarded returns a slice of n elements with NaN before and behind it that
// must survive the test. Where the system allows, an unreadable page follows
// the slice directly, so that reading past its end crashes.
func Guarded[T Float](t testing.TB, n int) []T {
	t.Helper()
	if n == 0 {
		return nil
	}
	return guarded[T](t, n)
}

// sentinels surrounds a slice with NaN in ordinary memory.
func sentinels[T Float](t testing.TB, n, before, behind int) []T {
	all := make([]T, before+n+behind)
	watch(t, all[:before])
	watch(t, all[before+n:])
	return all[before : before+n : before+n]
}

// watch fills s with NaN and fails the test if one of them goes.
func watch[T Float](t testing.TB, s []T) {
	for i := range s {
		s[i] = T(math.NaN())
	}
	t.Cleanup(func() {
		for i, v := range s {
			if v == v {
				t.Errorf("a kernel wrote %v at element %d of a guard", v, i)
				return
			}
		}
	})
}

// Fill writes numbers between -1 and 1.
func Fill[T Float](r *rand.Rand, s []T) []T {
	for i := range s {
		s[i] = T(2*r.Float64() - 1)
	}
	return s
}

// Hostile writes numbers among which are NaN, infinities, zeros of both signs
// and subnormals.
func Hostile[T Float](r *rand.Rand, s []T) []T {
	special := []T{T(math.NaN()), T(math.Inf(1)), T(math.Inf(-1)), 0, T(math.Copysign(0, -1)), T(math.SmallestNonzeroFloat32), T(-1e-40), T(3e38)}
	for i := range Fill(r, s) {
		if r.IntN(4) == 0 {
			s[i] = special[r.IntN(len(special))]
		}
	}
	return s
}

// Rand returns a generator that gives the same numbers in every run.
func Rand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// Same tells whether two slices have the same bits; any NaN equals any other.
// It returns the first place where they differ, or -1.
func Same[T Float](x, y []T) int {
	for i, v := range x {
		w := y[i]
		if v != w && (v == v || w == w) || v == w && math.Signbit(float64(v)) != math.Signbit(float64(w)) {
			return i
		}
	}
	return -1
}

// Worst compares got with a float64 reference by PyTorch's tolerances for a
// sum of k products, and returns the greatest error in units of the tolerance
// and its place: more than 1 is a failure.
func Worst[T Float](got []T, want []float64, k int) (float64, int) {
	atol, rtol := 1e-5, 1.3e-6
	if _, ok := any(got).([]float64); ok {
		atol, rtol = 1e-7, 1e-7
	}
	scale := math.Sqrt(float64(max(k, 1)))
	worst, at := 0.0, -1
	for i, w := range want {
		e := math.Abs(float64(got[i])-w) / (scale * (atol + rtol*math.Abs(w)))
		if e > worst || e != e {
			worst, at = e, i
		}
	}
	return worst, at
}
