package blocked

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// depthwiseGeometry has c channels and as many groups.
func depthwiseGeometry(t testing.TB, n, c int, in, kernel, strides, dilations, pads []int) *conv.Geometry {
	t.Helper()
	g, err := conv.NewGeometry(n, c, c, c, in, kernel, strides, dilations, pads)
	require.NoError(t, err)
	return g
}

// checkDepthwise compares all tiers with each other and, unless the values are
// hostile, with the definition, which sums in float64.
func checkDepthwise(t *testing.T, g *conv.Geometry, e Epilogue, r *rand.Rand, hostile bool) {
	t.Helper()
	pixels := sides(g.In)[0] * sides(g.In)[1]
	plain, w := make([]float32, g.N*g.ImageIn()), make([]float32, g.Weights())
	draw := kerneltest.Fill[float32]
	if hostile {
		draw = kerneltest.Hostile[float32]
	}
	draw(r, plain)
	draw(r, w)
	in := kerneltest.Guarded[float32](t, Len(g.N, g.C, pixels))
	Pack(nil, in, plain, g.N, g.C, pixels)
	size := Len(g.N, g.C, g.Pixels())
	want := make([]float32, size)
	(&reference{g: g}).run(nil, in, w, &e, want, nil)
	var first []float32
	for _, level := range cpu.Supported() {
		k := newDepthwise(For(level), g, Options{})
		require.NotNil(t, k)
		packed := kerneltest.Guarded[float32](t, k.packedWeights())
		packAll(k, g, packed, w)
		y := kerneltest.Guarded[float32](t, size)
		k.run(nil, in, packed, &e, y, nil)
		if first == nil {
			first = y
			if !hostile {
				requireNear(t, g, want, y)
			}
			continue
		}
		require.Equal(t, -1, kerneltest.Same(first, y), "%v %+v", level, g)
	}
}

// requireNear compares the channels of two results.
func requireNear(t *testing.T, g *conv.Geometry, want, got []float32) {
	t.Helper()
	x, y := make([]float32, g.N*g.ImageOut()), make([]float32, g.N*g.ImageOut())
	Unpack(nil, x, want, g.N, g.M, g.Pixels())
	Unpack(nil, y, got, g.N, g.M, g.Pixels())
	for i, v := range x {
		e := math.Abs(float64(v-y[i])) / (1 + math.Abs(float64(v)))
		if !(e <= 1e-5) {
			t.Fatalf("%+v at %d: got %v, want %v", g, i, y[i], v)
		}
	}
}

// depthwiseCases calls f for geometries with every way of borders.
func depthwiseCases(t testing.TB, k int, f func(g *conv.Geometry)) {
	for _, s := range []int{1, 2, 3} {
		for _, d := range []int{1, 2} {
			for _, pads := range [][]int{{0, 0, 0, 0}, {1, 1, 1, 1}, {0, 2, 3, 1}, {k, k + 1, k, 0}, {k / 2, k / 2, k / 2, k / 2}} {
				for _, in := range [][]int{{1, 1}, {3, 2}, {5, 7}, {4, 14}, {6, 15}, {2, 31}} {
					if in[0]+pads[0]+pads[2] <= d*(k-1) || in[1]+pads[1]+pads[3] <= d*(k-1) {
						continue
					}
					f(depthwiseGeometry(t, 1, 17, in, []int{k, k}, []int{s, s}, []int{d, d}, pads))
				}
			}
		}
	}
}

func TestDepthwise(t *testing.T) {
	r := kerneltest.Rand(1)
	for _, k := range []int{1, 2, 3, 4, 5, 7} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			depthwiseCases(t, k, func(g *conv.Geometry) { checkDepthwise(t, g, Epilogue{}, r, false) })
		})
	}
	for width := 1; width < 62; width++ {
		for _, s := range []int{1, 2} {
			g := depthwiseGeometry(t, 2, 32, []int{3, width}, []int{3, 3}, []int{1, s}, nil, []int{1, 1, 1, 1})
			checkDepthwise(t, g, Epilogue{}, r, false)
		}
	}
	checkDepthwise(t, depthwiseGeometry(t, 2, 20, []int{33}, []int{3}, nil, nil, []int{1, 1}), Epilogue{}, r, false)
	checkDepthwise(t, depthwiseGeometry(t, 2, 20, []int{33}, []int{9}, nil, []int{2}, []int{8, 8}), Epilogue{}, r, false)
	checkDepthwise(t, depthwiseGeometry(t, 0, 20, []int{33}, []int{9}, nil, nil, nil), Epilogue{}, r, false)
}

// TestDepthwise_hostile: the tiers agree on NaN, infinities and zeros; lanes
// without a channel have none.
func TestDepthwise_hostile(t *testing.T) {
	r := kerneltest.Rand(2)
	for _, e := range []Epilogue{{}, {Act: Relu}, {Act: Clip, Alpha: -0.25, Beta: 0.5}} {
		for _, k := range []int{3, 4, 5, 7} {
			for _, width := range []int{5, 30} {
				checkDepthwise(t, depthwiseGeometry(t, 1, 16, []int{9, width}, []int{k, k}, nil, nil, []int{2, 2, 1, 2}), e, r, true)
				checkDepthwise(t, depthwiseGeometry(t, 1, 16, []int{9, width}, []int{k, k}, []int{2, 2}, nil, []int{2, 2, 1, 2}), e, r, true)
			}
		}
	}
}

func TestDepthwise_epilogue(t *testing.T) {
	r := kerneltest.Rand(3)
	for _, k := range []int{3, 4} {
		g := depthwiseGeometry(t, 2, 20, []int{30, 19}, []int{k, k}, nil, nil, []int{1, 1, 1, 1})
		e := Epilogue{Bias: kerneltest.Fill(r, make([]float32, 20)), Residual: kerneltest.Fill(r, make([]float32, Len(2, 20, g.Pixels()))), Alpha: 0.1, Beta: 0.6}
		for act := Identity; act <= Tanh; act++ {
			e.Act = act
			checkDepthwise(t, g, e, r, false)
		}
	}
}

// TestDepthwise_inPlace: the residual may be the result's own buffer.
func TestDepthwise_inPlace(t *testing.T) {
	r := kerneltest.Rand(4)
	for _, k := range []int{2, 3} {
		g := depthwiseGeometry(t, 1, 16, []int{5, 23}, []int{k, k}, nil, nil, []int{1, 0, k - 2, k - 1})
		x := kerneltest.Fill(r, make([]float32, Len(1, 16, 5*23)))
		w := kerneltest.Fill(r, make([]float32, g.Weights()))
		residual := kerneltest.Fill(r, make([]float32, Len(1, 16, g.Pixels())))
		for _, level := range cpu.Supported() {
			kernel := newDepthwise(For(level), g, Options{})
			packed := make([]float32, kernel.packedWeights())
			packAll(kernel, g, packed, w)
			want, got := make([]float32, len(residual)), append([]float32{}, residual...)
			kernel.run(nil, x, packed, &Epilogue{Residual: residual}, want, nil)
			kernel.run(nil, x, packed, &Epilogue{Residual: got}, got, nil)
			require.Equal(t, want, got)
		}
	}
}

func TestDepthwise_threads(t *testing.T) {
	r := kerneltest.Rand(5)
	for _, in := range [][]int{{7, 7}, {112, 112}} {
		g := depthwiseGeometry(t, 2, 70, in, []int{3, 3}, nil, nil, []int{1, 1, 1, 1})
		k := newDepthwise(Best(), g, Options{})
		x := kerneltest.Fill(r, make([]float32, Len(2, 70, in[0]*in[1])))
		w := kerneltest.Fill(r, make([]float32, k.packedWeights()))
		var want []float32
		for _, threads := range kerneltest.Threads {
			team := parallel.Acquire(threads)
			y := make([]float32, Len(2, 70, g.Pixels()))
			e := &Epilogue{Act: Clip, Beta: 1}
			k.run(team, x, w, e, y, nil)
			if want == nil {
				want = y
			}
			require.Equal(t, -1, kerneltest.Same(want, y))
			require.Zero(t, testing.AllocsPerRun(5, func() { k.run(team, x, w, e, y, nil) }))
			team.Release()
		}
	}
}

// FuzzDepthwise holds the tiers against each other and the definition.
func FuzzDepthwise(f *testing.F) {
	f.Add([]byte{17, 5, 14, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0}, uint64(1))
	f.Add([]byte{40, 9, 30, 5, 7, 2, 2, 1, 1, 2, 3, 0, 1, 2}, uint64(2))
	f.Add([]byte{2, 3, 40, 2, 4, 1, 3, 2, 2, 4, 0, 7, 9, 1}, uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		if len(b) < 14 {
			return
		}
		at := func(i, low, high int) int { return low + int(b[i])%(high-low+1) }
		pair := func(i, low, high int) []int { return []int{at(i, low, high), at(i+1, low, high)} }
		c := at(0, 2, 40)
		g, err := conv.NewGeometry(at(13, 0, 2), c, c, c, pair(1, 1, 40), pair(3, 1, 9), pair(5, 1, 3), pair(7, 1, 3), append(pair(9, 0, 9), pair(11, 0, 9)...))
		if err != nil {
			return
		}
		r := kerneltest.Rand(seed)
		checkDepthwise(t, g, Epilogue{Act: Activation(seed / 2 % 3), Alpha: -0.5, Beta: 0.5}, r, seed%2 == 0)
	})
}

func BenchmarkDepthwise(b *testing.B) {
	for _, s := range []struct{ c, size, kernel, stride int }{
		{96, 56, 3, 1}, {384, 14, 3, 1}, {960, 7, 3, 1}, {32, 112, 3, 1}, {96, 112, 3, 2}, {144, 56, 3, 2}, {192, 28, 5, 1}, {672, 14, 5, 1}, {96, 56, 7, 1}, {768, 7, 7, 1},
	} {
		pad := s.kernel / 2
		g := depthwiseGeometry(b, 1, s.c, []int{s.size, s.size}, []int{s.kernel, s.kernel}, []int{s.stride, s.stride}, nil, []int{pad, pad, pad, pad})
		x := kerneltest.Fill(kerneltest.Rand(1), make([]float32, Len(1, s.c, s.size*s.size)))
		y := make([]float32, Len(1, s.c, g.Pixels()))
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%d_%dx%d_k%ds%d/%dt", s.c, s.size, s.size, s.kernel, s.stride, threads), func(b *testing.B) {
				team := parallel.Acquire(threads)
				defer team.Release()
				k := newDepthwise(Best(), g, Options{})
				w := kerneltest.Fill(kerneltest.Rand(1), make([]float32, k.packedWeights()))
				e := &Epilogue{Act: Relu}
				for b.Loop() {
					k.run(team, x, w, e, y, nil)
				}
				b.ReportMetric(2*float64(s.c*g.Pixels()*g.Taps())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
