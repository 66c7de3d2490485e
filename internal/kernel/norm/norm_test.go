package norm

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/parallel"
	"github.com/stretchr/testify/require"
)

func random(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()*2 + 0.5
	}
	return x
}

// batch makes a normalisation of random numbers with room for all results.
func batch(s Shape) *Batch[float64] {
	r := rand.New(rand.NewPCG(1, uint64(s.N*100+s.C*10+s.Inner)))
	n, z := s.N*s.C*s.Inner, func() []float64 { return make([]float64, s.C) }
	b := &Batch[float64]{
		Shape: s, X: random(r, n), Y: make([]float64, n), DY: random(r, n), DX: make([]float64, n), Scale: random(r, s.C),
		Bias: random(r, s.C), Mean: random(r, s.C), Var: random(r, s.C), NewMean: z(), NewVar: z(), DScale: z(), DBias: z(),
		Momentum: 0.9, Epsilon: 1e-5,
	}
	for i := range b.Var {
		b.Var[i] = math.Abs(b.Var[i])
	}
	return b
}

var shapes = []Shape{{1, 1, 1}, {2, 3, 4}, {5, 1, 7}, {3, 4, 1}, {16, 8, 33}, {64, 16, 32}}

func TestBatch_Train(t *testing.T) {
	for _, s := range shapes {
		b := batch(s)
		b.Train(nil)
		for c := range s.C {
			var sum, squares float64
			for n := range s.N {
				for i := range s.Inner {
					sum += b.X[(n*s.C+c)*s.Inner+i]
				}
			}
			count := float64(s.N * s.Inner)
			mean := sum / count
			for n := range s.N {
				for i := range s.Inner {
					squares += math.Pow(b.X[(n*s.C+c)*s.Inner+i]-mean, 2)
				}
			}
			require.InDelta(t, 0.9*b.Mean[c]+0.1*mean, b.NewMean[c], 1e-12)
			require.InDelta(t, 0.9*b.Var[c]+0.1*squares/count, b.NewVar[c], 1e-12)
			want := (b.X[c*s.Inner]-mean)/math.Sqrt(squares/count+1e-5)*b.Scale[c] + b.Bias[c]
			require.InDelta(t, want, b.Y[c*s.Inner], 1e-9)
		}
	}
}

func TestBatch_Infer(t *testing.T) {
	b := batch(Shape{2, 3, 4})
	b.Infer(nil)
	for i, y := range b.Y {
		c := i / 4 % 3
		require.InDelta(t, (b.X[i]-b.Mean[c])/math.Sqrt(b.Var[c]+1e-5)*b.Scale[c]+b.Bias[c], y, 1e-12)
	}
}

// TestBatch_backward holds both backward passes against central differences.
func TestBatch_backward(t *testing.T) {
	for _, training := range []bool{false, true} {
		for _, s := range []Shape{{2, 3, 4}, {5, 2, 1}, {1, 2, 6}} {
			b := batch(s)
			loss := func() float64 {
				if training {
					b.Train(nil)
				} else {
					b.Infer(nil)
				}
				sum := 0.0
				for i, y := range b.Y {
					sum += y * b.DY[i]
				}
				return sum
			}
			if training {
				b.TrainBackward(nil)
			} else {
				b.InferBackward(nil)
			}
			for _, p := range []struct{ at, grad []float64 }{{b.X, b.DX}, {b.Scale, b.DScale}, {b.Bias, b.DBias}} {
				for i := range p.at {
					old := p.at[i]
					p.at[i] = old + 1e-6
					up := loss()
					p.at[i] = old - 1e-6
					down := loss()
					p.at[i] = old
					want := (up - down) / 2e-6
					require.InDelta(t, want, p.grad[i], 1e-5+1e-3*math.Abs(want))
				}
			}
		}
	}
}

func TestBatch_threads(t *testing.T) {
	one := batch(Shape{64, 16, 32})
	one.Train(nil)
	one.TrainBackward(nil)
	for _, threads := range []int{2, 3, 7} {
		team := parallel.Acquire(threads)
		b := batch(Shape{64, 16, 32})
		b.Train(team)
		b.TrainBackward(team)
		team.Release()
		require.Equal(t, one.Y, b.Y)
		require.Equal(t, one.DX, b.DX)
		require.Equal(t, one.DScale, b.DScale)
	}
}

func TestSum(t *testing.T) {
	for _, s := range shapes {
		b := batch(s)
		y := make([]float64, s.C)
		(&Sum[float64]{Shape: s, X: b.X, Y: y}).Run(nil)
		for c := range s.C {
			want := 0.0
			for n := range s.N {
				for i := range s.Inner {
					want += b.X[(n*s.C+c)*s.Inner+i]
				}
			}
			require.InDelta(t, want, y[c], 1e-9)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	b := batch(Shape{16, 8, 33})
	y := &Sum[float64]{Shape: b.Shape, X: b.X, Y: make([]float64, 8)}
	require.Zero(t, testing.AllocsPerRun(5, func() {
		b.Train(nil)
		b.TrainBackward(nil)
		b.Infer(nil)
		b.InferBackward(nil)
		y.Run(nil)
	}))
}

// TestRows holds rows, of channels of one and of several elements, against their definition, for both types.
func TestRows(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, center := range []bool{true, false} {
		for _, c := range []struct{ count, size, groups, inner int }{
			{5, 33, 1, 1}, {3, 768, 1, 1}, {6, 4, 3, 1}, {4, 30, 2, 5}, {2, 0, 1, 1}, {0, 7, 1, 1},
		} {
			x, scale, bias := random(r, c.count*c.size), random(r, c.groups*c.size), random(r, c.groups*c.size)
			z := func() []float64 { return make([]float64, c.count) }
			s := Rows[float64]{
				Count: c.count, Size: c.size, Groups: c.groups, Inner: c.inner, Center: center, Epsilon: 1e-5,
				X: x, Y: make([]float64, len(x)), Scale: scale, Bias: bias, Mean: z(), Inv: z(),
			}
			n := Rows[float32]{
				Count: c.count, Size: c.size, Groups: c.groups, Inner: c.inner, Center: center, Epsilon: 1e-5,
				X: narrow(x), Y: make([]float32, len(x)), Scale: narrow(scale), Bias: narrow(bias), Mean: z(), Inv: z(),
			}
			s.Forward(nil)
			n.Forward(nil)
			for i, got := range s.Y {
				row := i / c.size
				want := normalized(x[row*c.size:(row+1)*c.size], i%c.size, center)
				at := row%c.groups*(c.size/c.inner) + i%c.size/c.inner
				require.InDelta(t, want*scale[at]+bias[at], got, 1e-12)
				require.InDelta(t, got, n.Y[i], 1e-5)
			}
		}
	}
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func normalized(x []float64, i int, center bool) float64 {
	mean, squares := 0.0, 0.0
	if center {
		for _, v := range x {
			mean += v / float64(len(x))
		}
	}
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	return (x[i] - mean) / math.Sqrt(squares/float64(len(x))+1e-5)
}

func TestRows_allocations(t *testing.T) {
	s := Rows[float32]{
		Count: 4, Size: 64, Groups: 1, Inner: 1, Center: true, X: make([]float32, 256), Y: make([]float32, 256),
		Scale: make([]float32, 64), Mean: make([]float64, 4), Inv: make([]float64, 4),
	}
	require.Zero(t, testing.AllocsPerRun(5, func() { s.Forward(nil) }))
}
