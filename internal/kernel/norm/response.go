package norm

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Response is local response normalisation across channels: with s = Bias + Alpha/Size·Σ X² over the channels from
// c - (Size-1)/2 to c + Size/2, Y = X / s^Beta.
type Response[T Float] struct {
	Shape
	Size              int
	Alpha, Beta, Bias float64
	X, Y, DY, DX      []T
	// Buf has room for C rows of a strip for each worker: 2·C·Strip elements.
	Buf func(worker int) []float64

	back bool
}

// Strip is the number of positions that one tile covers.
const Strip = 128

// Forward computes Y.
func (s *Response[T]) Forward(team *parallel.Team) { s.back = false; s.run(team) }

// Backward computes DX.
func (s *Response[T]) Backward(team *parallel.Team) { s.back = true; s.run(team) }

func (s *Response[T]) strips() int { return (s.Inner + Strip - 1) / Strip }

func (s *Response[T]) run(team *parallel.Team) {
	if s.N*s.C*s.Inner < 1<<12 {
		team = nil
	}
	team.DoWorkers(s.N*s.strips(), s)
}

// Tile does one strip of one sample.
func (s *Response[T]) Tile(worker, i int) {
	n, lo := i/s.strips(), i%s.strips()*Strip
	width := min(Strip, s.Inner-lo)
	base := n*s.C*s.Inner + lo
	buf := s.Buf(worker)
	sums, terms := buf[:s.C*width], buf[s.C*Strip:]
	for c := range s.C {
		x := s.X[base+c*s.Inner:][:width]
		for k, v := range x {
			terms[c*width+k] = float64(v) * float64(v)
		}
	}
	before, behind := (s.Size-1)/2, s.Size/2
	s.window(sums, terms, width, before, behind)
	for k, v := range sums {
		sums[k] = s.Bias + s.Alpha/float64(s.Size)*v
	}
	if !s.back {
		for c := range s.C {
			x, y := s.X[base+c*s.Inner:][:width], s.Y[base+c*s.Inner:][:width]
			for k, v := range x {
				y[k] = T(float64(v) * math.Pow(sums[c*width+k], -s.Beta))
			}
		}
		return
	}
	// dx = dy·s^-β - 2αβ/size·x·Σ dy·x·s^(-β-1), over the channels whose window has this one.
	for c := range s.C {
		x, dy := s.X[base+c*s.Inner:][:width], s.DY[base+c*s.Inner:][:width]
		for k := range dy {
			p := math.Pow(sums[c*width+k], -s.Beta)
			terms[c*width+k] = float64(dy[k]) * float64(x[k]) * p / sums[c*width+k]
			sums[c*width+k] = float64(dy[k]) * p
		}
	}
	for c := range s.C {
		x, dx := s.X[base+c*s.Inner:][:width], s.DX[base+c*s.Inner:][:width]
		for k := range dx {
			t := 0.0
			for j := max(0, c-behind); j <= min(s.C-1, c+before); j++ {
				t += terms[j*width+k]
			}
			dx[k] = T(sums[c*width+k] - 2*s.Alpha*s.Beta/float64(s.Size)*float64(x[k])*t)
		}
	}
}

// window sums terms over the channels around each one.
func (s *Response[T]) window(sums, terms []float64, width, before, behind int) {
	clear(sums)
	for c := range s.C {
		to := sums[c*width : (c+1)*width]
		for j := max(0, c-before); j <= min(s.C-1, c+behind); j++ {
			for k, v := range terms[j*width : (j+1)*width] {
				to[k] += v
			}
		}
	}
}
