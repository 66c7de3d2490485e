package norm

import "github.com/gneiss-ml/gneiss/internal/parallel"

// Sum adds up each channel of X, [N, C, Inner], into Y, [C], in float64 and one fixed order.
type Sum[T Float] struct {
	Shape
	X, Y []T
}

// Run computes Y.
func (s *Sum[T]) Run(team *parallel.Team) {
	if s.N*s.C*s.Inner < 1<<14 {
		team = nil
	}
	team.Do(s.C, s)
}

// Tile sums channel c: four chains, whose ends are added pairwise.
func (s *Sum[T]) Tile(c int) {
	var a [4]float64
	for n := range s.N {
		x := s.X[(n*s.C+c)*s.Inner:][:s.Inner]
		i := 0
		for ; i+4 <= len(x); i += 4 {
			a[0] += float64(x[i])
			a[1] += float64(x[i+1])
			a[2] += float64(x[i+2])
			a[3] += float64(x[i+3])
		}
		for ; i < len(x); i++ {
			a[0] += float64(x[i])
		}
	}
	s.Y[c] = T((a[0] + a[1]) + (a[2] + a[3]))
}
