package blocked

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

func poolGeometry(t testing.TB, n, c int, in, out, kernel, strides, dilations, pads []int) *pool.Geometry {
	t.Helper()
	g, err := pool.NewGeometry(n, c, in, out, kernel, strides, dilations, pads)
	require.NoError(t, err)
	return g
}

// checkPool compares all tiers with package pool. Sums may differ in their
// order, but not between tiers.
func checkPool(t *testing.T, g *pool.Geometry, hostile bool) {
	t.Helper()
	in, out := product(g.In), product(g.Out)
	r := kerneltest.Rand(1)
	plain, y := make([]float32, g.N*g.C*in), make([]float32, g.N*g.C*out)
	if hostile {
		kerneltest.Hostile(r, plain)
	} else {
		kerneltest.Fill(r, plain)
	}
	x := kerneltest.Guarded[float32](t, Len(g.N, g.C, in))
	Pack(nil, x, plain, g.N, g.C, in)
	p := pool.NewPlan[float32](pool.For(cpu.Generic), g)
	for kind := range 3 {
		var first []float32
		want := make([]float32, len(y))
		if kind == 0 {
			p.Max(nil, plain, want, nil, false)
		} else {
			p.Average(nil, plain, want, kind == 1)
		}
		for _, level := range cpu.Supported() {
			k := NewMaxPool(For(level), g)
			if kind > 0 {
				k = NewAveragePool(For(level), g, kind == 1)
			}
			got := kerneltest.Guarded[float32](t, Len(g.N, g.C, out))
			k.Run(nil, x, got)
			for i, v := range got {
				if g.C%Lanes != 0 && i%Lanes >= g.C%Lanes && i/Lanes/out%Blocks(g.C) == Blocks(g.C)-1 {
					if v-v != 0 {
						t.Fatalf("%+v: lanes without a channel are not finite", g)
					}
				}
			}
			Unpack(nil, y, got, g.N, g.C, out)
			switch {
			case kind == 0:
				require.Equal(t, -1, kerneltest.Same(want, y), "%v %+v", level, g)
			case !hostile:
				require.InDeltaSlice(t, want, y, 1e-5, "%v %+v", level, g)
			}
			if first == nil {
				first = got
			}
			require.Equal(t, -1, kerneltest.Same(first, got), "%v %+v", level, g)
		}
	}
}

func TestPool(t *testing.T) {
	for _, k := range []int{1, 2, 3, 5} {
		for _, s := range []int{1, 2, 3} {
			t.Run(fmt.Sprint(k, s), func(t *testing.T) { checkPools(t, k, s) })
		}
	}
	checkPool(t, poolGeometry(t, 1, 32, []int{37}, []int{12}, []int{3}, []int{3}, nil, nil), false)
	checkPool(t, poolGeometry(t, 0, 32, []int{37}, []int{12}, []int{3}, []int{3}, nil, nil), false)
}

// checkPools goes through borders of every kind for one kernel and stride.
func checkPools(t *testing.T, k, s int) {
	for _, d := range []int{1, 2} {
		for _, pads := range [][]int{{0, 0, 0, 0}, {1, 1, 1, 1}, {0, 2, 1, 0}, {k, k, k, k}} {
			for _, in := range [][]int{{1, 1}, {3, 2}, {6, 7}, {5, 14}, {2, 31}} {
				out := []int{0, 0}
				for i := range out {
					if room := in[i] + pads[i] + pads[2+i] - d*(k-1) - 1; room >= 0 {
						out[i] = room/s + 1 + s%2 // one too many is what rounding up may give
					}
				}
				g := poolGeometry(t, 2, 20, in, out, []int{k, k}, []int{s, s}, []int{d, d}, pads)
				checkPool(t, g, false)
				checkPool(t, g, true)
			}
		}
	}
}

func TestPool_global(t *testing.T) {
	for _, in := range [][]int{{1, 1}, {1, 3}, {7, 7}, {16, 16}, {23, 31}, {40, 50}} {
		for _, hostile := range []bool{false, true} {
			g, err := pool.Global(2, 20, in)
			require.NoError(t, err)
			checkPool(t, g, hostile)
		}
	}
}

func TestPool_threads(t *testing.T) {
	r := kerneltest.Rand(5)
	for _, size := range []int{7, 112} {
		g := poolGeometry(t, 2, 70, []int{size, size}, []int{size, size}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1})
		global, err := pool.Global(2, 70, []int{size, size})
		require.NoError(t, err)
		x := kerneltest.Fill(r, make([]float32, Len(2, 70, size*size)))
		for _, p := range []*Pool{NewMaxPool(nil, g), NewAveragePool(nil, g, true), NewAveragePool(nil, global, true)} {
			var want []float32
			for _, threads := range kerneltest.Threads {
				team := parallel.Acquire(threads)
				y := make([]float32, len(x))
				p.Run(team, x, y)
				if want == nil {
					want = y
				}
				require.Equal(t, -1, kerneltest.Same(want, y))
				require.Zero(t, testing.AllocsPerRun(5, func() { p.Run(team, x, y) }))
				team.Release()
			}
		}
	}
}

func TestMulPixels(t *testing.T) {
	r := kerneltest.Rand(6)
	for _, pixels := range []int{0, 1, 2, 3, 4, 7, 49, 5000} {
		const n, channels = 3, 20
		x, s := kerneltest.Hostile(r, kerneltest.Guarded[float32](t, Len(n, channels, pixels))), kerneltest.Hostile(r, kerneltest.Guarded[float32](t, Len(n, channels, 1)))
		for _, level := range cpu.Supported() {
			restore := Override(For(level))
			for _, s := range [][]float32{s, s[:Len(1, channels, 1)]} {
				product, sum := kerneltest.Guarded[float32](t, len(x)), kerneltest.Guarded[float32](t, len(x))
				team := parallel.Acquire(3)
				MulPixels(team, product, x, s, n, channels, pixels)
				AddPixels(team, sum, x, s, n, channels, pixels)
				require.Zero(t, testing.AllocsPerRun(3, func() { AddPixels(team, sum, x, s, n, channels, pixels) }))
				team.Release()
				for i, v := range x {
					f := s[i/(pixels*Lanes)*Lanes%len(s)+i%Lanes]
					require.Equal(t, -1, kerneltest.Same([]float32{v * f, v + f}, []float32{product[i], sum[i]}))
				}
			}
			restore()
		}
	}
}

// FuzzPool holds the tiers against package pool.
func FuzzPool(f *testing.F) {
	f.Add([]byte{17, 5, 14, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0})
	f.Add([]byte{40, 9, 30, 5, 7, 2, 2, 1, 1, 2, 3, 0, 1, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 14 {
			return
		}
		at := func(i, low, high int) int { return low + int(b[i])%(high-low+1) }
		pair := func(i, low, high int) []int { return []int{at(i, low, high), at(i+1, low, high)} }
		in, kernel, strides := pair(1, 1, 40), pair(3, 1, 9), pair(5, 1, 3)
		out := []int{(in[0]-1)/strides[0] + 1, (in[1]-1)/strides[1] + 1}
		g, err := pool.NewGeometry(1, at(0, 1, 40), in, out, kernel, strides, pair(7, 1, 3), append(pair(9, 0, 9), pair(11, 0, 9)...))
		if err != nil {
			return
		}
		checkPool(t, g, b[13]%2 == 0)
	})
}

func BenchmarkPool(b *testing.B) {
	measure := func(name string, p *Pool) {
		x := kerneltest.Fill(kerneltest.Rand(1), make([]float32, Len(p.g.N, p.g.C, product(p.g.In))))
		y := make([]float32, Len(p.g.N, p.g.C, product(p.g.Out)))
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%dt", name, threads), func(b *testing.B) {
				team := parallel.Acquire(threads)
				defer team.Release()
				for b.Loop() {
					p.Run(team, x, y)
				}
				b.ReportMetric(4*float64(len(x)+len(y))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
		}
	}
	g := poolGeometry(b, 1, 64, []int{112, 112}, []int{56, 56}, []int{3, 3}, []int{2, 2}, nil, []int{1, 1, 1, 1})
	measure("Max3s2_64_112", NewMaxPool(nil, g))
	measure("Average3s2_64_112", NewAveragePool(nil, g, false))
	measure("Max2s2_64_56", NewMaxPool(nil, poolGeometry(b, 1, 64, []int{56, 56}, []int{28, 28}, []int{2, 2}, []int{2, 2}, nil, nil)))
	measure("Max3s1_192_28", NewMaxPool(nil, poolGeometry(b, 1, 192, []int{28, 28}, []int{28, 28}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1})))
	for _, s := range [][2]int{{512, 7}, {96, 56}} {
		g, err := pool.Global(1, s[0], []int{s[1], s[1]})
		require.NoError(b, err)
		measure(fmt.Sprintf("Global_%d_%d", s[0], s[1]), NewAveragePool(nil, g, false))
	}
}
