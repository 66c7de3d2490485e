package norm

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Sum adds up each channel of X, [N, C, Inner], into Y, [C], in float64 and one fixed order.
type Sum[T Float] struct {
	Shape
	X, Y  []T
	Table *vec.Table // nil: the best of this CPU
}

// Run computes Y.
func (s *Sum[T]) Run(team *parallel.Team) {
	if s.N*s.C*s.Inner < 1<<14 {
		team = nil
	}
	team.Do(s.C, s)
}

// Tile sums channel c: sixteen chains, which each sample begins anew with the first, and whose ends are added in a tree.
func (s *Sum[T]) Tile(c int) {
	t := s.Table
	if t == nil {
		t = vec.Best()
	}
	var a [16]float64
	for n := range s.N {
		vec.Sums(t, &a, s.X[(n*s.C+c)*s.Inner:][:s.Inner])
	}
	s.Y[c] = T(vec.Tree(&a))
}
