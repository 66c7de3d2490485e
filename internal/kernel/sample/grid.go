// Package sample reads tensors at places between their elements: along a grid of places, in regions of interest, and under
// kernels whose taps are moved.
package sample

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Float is the types that are sampled.
type Float interface{ float32 | float64 }

// Mode says how many neighbours count.
type Mode int

// Modes.
const (
	Nearest Mode = iota
	Linear
	Cubic
)

// Padding says what lies outside.
type Padding int

// Paddings.
const (
	Zeros Padding = iota
	Border
	Reflection
)

// Grid samples X, [N, C, In...], at places of Places, [N, Out..., axes], whose numbers run from -1 to 1 over the image, last axis
// first, into Y, [N, C, Out...].
type Grid[T Float] struct {
	N, C    int
	In      []int
	Points  int // places of one sample
	Align   bool
	Mode    Mode
	Padding Padding

	X, Places, Y    []T
	DY, DX, DPlaces []T // of the backward pass
}

const maxTaps = 4

// taps is what one axis reads: indices (-1: zero), weights and their slopes.
type taps struct {
	n  int
	at [maxTaps]int
	w  [maxTaps]float64
	dw [maxTaps]float64
}

// bounds are the ends of an axis of n elements.
func (g *Grid[T]) bounds(n int) (lo, hi float64) {
	if g.Align {
		return 0, float64(n - 1)
	}
	return -0.5, float64(n) - 0.5
}

// reflect mirrors v into lo to hi; slope is 1 or -1.
func reflect(v, lo, hi float64) (at, slope float64) {
	span := hi - lo
	if span <= 0 {
		return lo, 0
	}
	flip, beyond := 1.0, v-lo
	if v < lo {
		beyond, flip = lo-v, -1
	}
	turns := math.Floor(beyond / span)
	rest := beyond - turns*span
	if math.Mod(turns, 2) == 0 {
		return lo + rest, flip
	}
	return hi - rest, -flip
}

// place reads what an axis of n elements needs for the number v.
func (g *Grid[T]) place(t *taps, v float64, n int) {
	lo, hi := g.bounds(n)
	at, slope := ((v+1)*float64(n)-1)/2, float64(n)/2
	if g.Align {
		at, slope = (v+1)/2*float64(n-1), float64(n-1)/2
	}
	if g.Mode == Nearest {
		at = math.RoundToEven(at)
	}
	if at != at {
		at = -2 * float64(n+4) // not a number is nowhere
	}
	if at < lo || at > hi {
		switch g.Padding {
		case Border:
			at, slope = min(max(at, 0), float64(n-1)), 0
		case Reflection:
			var s float64
			at, s = reflect(at, lo, hi)
			slope *= s
		}
	}
	at = min(max(at, -float64(n)-8), 2*float64(n)+8)
	base := math.Floor(at)
	r := at - base
	first := int(base)
	switch g.Mode {
	case Nearest:
		t.n, t.w[0], t.dw[0] = 1, 1, 0
	case Linear:
		t.n = 2
		t.w[0], t.w[1], t.dw[0], t.dw[1] = 1-r, r, -slope, slope
	case Cubic:
		t.n = 4
		first--
		for k := range 4 {
			w, d := cubic(r + 1 - float64(k))
			t.w[k], t.dw[k] = w, d*slope
		}
	}
	for k := range t.n {
		t.at[k] = g.inside(first+k, n)
	}
}

// inside is the element that index i reads.
func (g *Grid[T]) inside(i, n int) int {
	if i >= 0 && i < n {
		return i
	}
	switch g.Padding {
	case Border:
		return min(max(i, 0), n-1)
	case Reflection:
		lo, hi := g.bounds(n)
		at, _ := reflect(float64(i), lo, hi)
		return min(max(int(at), 0), n-1)
	}
	return -1
}

// cubic is the cubic of coefficient -0.75 at distance x, and its slope.
func cubic(x float64) (w, slope float64) {
	const a = -0.75
	sign := 1.0
	if x < 0 {
		x, sign = -x, -1
	}
	switch {
	case x <= 1:
		return ((a+2)*x-(a+3))*x*x + 1, sign * (3*(a+2)*x - 2*(a+3)) * x
	case x < 2:
		return ((a*x-5*a)*x+8*a)*x - 4*a, sign * ((3*a*x-10*a)*x + 8*a)
	}
	return 0, 0
}

// walk visits all combinations of taps: their offset in an image, their weight and, with axis >= 0, the weight's slope along it.
func walk(t []taps, in []int, axis int, f func(offset int, w, slope float64)) {
	walkFrom(t, in, axis, 0, 1, 1, f)
}

func walkFrom(t []taps, in []int, axis, offset int, w, slope float64, f func(offset int, w, slope float64)) {
	if len(t) == 0 {
		f(offset, w, slope)
		return
	}
	for k := range t[0].n {
		if t[0].at[k] < 0 {
			continue
		}
		s := slope * t[0].w[k]
		if axis == 0 {
			s = slope * t[0].dw[k]
		}
		walkFrom(t[1:], in[1:], axis-1, offset*in[0]+t[0].at[k], w*t[0].w[k], s, f)
	}
}

// point reads the taps of place p of sample n.
func (g *Grid[T]) point(t []taps, n, p int) {
	axes := len(g.In)
	v := g.Places[(n*g.Points+p)*axes:][:axes]
	for a, size := range g.In {
		g.place(&t[a], float64(v[axes-1-a]), size)
	}
}

func product(s []int) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

const pointsPerTile = 256

// Forward computes Y.
func (g *Grid[T]) Forward(team *parallel.Team) {
	size := product(g.In)
	strips := (g.Points + pointsPerTile - 1) / pointsPerTile
	team.DoFunc(g.N*strips, func(i int) {
		n, lo := i/strips, i%strips*pointsPerTile
		t := make([]taps, len(g.In))
		for p := lo; p < min(lo+pointsPerTile, g.Points); p++ {
			g.point(t, n, p)
			for c := range g.C {
				x, sum := g.X[(n*g.C+c)*size:], 0.0
				walk(t, g.In, -1, func(at int, w, _ float64) { sum += w * float64(x[at]) })
				g.Y[(n*g.C+c)*g.Points+p] = T(sum)
			}
		}
	})
}

// Source is the element of an image that place p of sample n reads in the mode Nearest; -1: none.
func (g *Grid[T]) Source(n, p int) int {
	t, at := make([]taps, len(g.In)), -1
	g.point(t, n, p)
	walk(t, g.In, -1, func(offset int, _, _ float64) { at = offset })
	return at
}

// Backward computes DX and DPlaces; either may be nil.
func (g *Grid[T]) Backward(team *parallel.Team) {
	size, axes := product(g.In), len(g.In)
	team.DoFunc(g.N, func(n int) {
		t := make([]taps, axes)
		if g.DX != nil {
			clear(g.DX[n*g.C*size : (n+1)*g.C*size])
		}
		for p := range g.Points {
			g.point(t, n, p)
			if g.DX != nil {
				for c := range g.C {
					dx, dy := g.DX[(n*g.C+c)*size:], float64(g.DY[(n*g.C+c)*g.Points+p])
					walk(t, g.In, -1, func(at int, w, _ float64) { dx[at] += T(w * dy) })
				}
			}
			for a := 0; a < axes && g.DPlaces != nil; a++ {
				sum := 0.0
				for c := range g.C {
					x, dy := g.X[(n*g.C+c)*size:], float64(g.DY[(n*g.C+c)*g.Points+p])
					walk(t, g.In, a, func(at int, _, slope float64) { sum += dy * slope * float64(x[at]) })
				}
				g.DPlaces[(n*g.Points+p)*axes+axes-1-a] = T(sum)
			}
		}
	})
}
