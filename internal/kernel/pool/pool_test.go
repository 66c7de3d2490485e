package pool

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// visit calls f for every window and element of it, in row-major order of the
// taps; at is -1 for an element of the padding.
func visit(g *Geometry, f func(y, at int)) {
	rank, in, out := len(g.In), product(g.In), product(g.Out)
	o, tap := make([]int, rank), make([]int, rank)
	for c := range g.N * g.C {
		for i := range out {
			unravel(o, i, g.Out)
			for k := range product(g.Kernel) {
				unravel(tap, k, g.Kernel)
				at, inside, beyond := 0, true, false
				for axis := range rank {
					p := o[axis]*g.Strides[axis] + tap[axis]*g.Dilations[axis] - g.Pads[axis]
					if p >= g.In[axis]+g.Pads[rank+axis] {
						beyond = true
					}
					inside = inside && p >= 0 && p < g.In[axis]
					at = at*g.In[axis] + p
				}
				if beyond {
					continue // beyond the padding: no element at all
				}
				if !inside {
					f(c*out+i, -1)
					continue
				}
				f(c*out+i, c*in+at)
			}
		}
	}
}

func unravel(index []int, at int, sizes []int) {
	for i := len(sizes) - 1; i >= 0; i-- {
		index[i], at = at%sizes[i], at/sizes[i]
	}
}

func geometry(t testing.TB, n, c int, in, out, kernel, strides, dilations, pads []int) *Geometry {
	t.Helper()
	g, err := NewGeometry(n, c, in, out, kernel, strides, dilations, pads)
	require.NoError(t, err)
	return g
}

func cases(t testing.TB) []*Geometry {
	two := []int{2, 2}
	global, err := Global(2, 3, []int{5, 37})
	require.NoError(t, err)
	return []*Geometry{
		geometry(t, 2, 3, []int{26, 26}, []int{13, 13}, two, two, nil, nil),
		geometry(t, 2, 3, []int{11, 11}, []int{5, 5}, two, two, nil, nil),
		geometry(t, 2, 3, []int{11, 11}, []int{6, 6}, two, two, nil, nil),
		geometry(t, 1, 2, []int{9, 8}, []int{5, 4}, []int{3, 3}, two, nil, []int{1, 1, 1, 1}),
		geometry(t, 1, 2, []int{9, 8}, []int{5, 4}, []int{3, 2}, two, two, []int{2, 1, 1, 0}),
		geometry(t, 3, 1, []int{20}, []int{18}, []int{3}, nil, nil, nil),
		geometry(t, 1, 2, []int{4, 5, 6}, []int{2, 4, 3}, []int{2, 2, 2}, []int{2, 1, 2}, nil, nil),
		geometry(t, 1, 1, []int{3, 2, 3, 2}, []int{2, 1, 2, 1}, []int{2, 2, 2, 2}, nil, nil, nil),
		geometry(t, 0, 2, []int{4, 4}, []int{2, 2}, two, two, nil, nil),
		geometry(t, 1, 2, []int{40, 50}, []int{4, 1}, []int{7, 40}, []int{10, 1}, nil, nil),
		global,
	}
}

// want is what the definition makes of a case.
type want struct {
	max         []float64
	indices     []int64
	mean, inner []float64
	count, all  []int
}

func define[T Number](g *Geometry, x []T) *want {
	n := g.N * g.C * product(g.Out)
	w := &want{make([]float64, n), make([]int64, n), make([]float64, n), make([]float64, n), make([]int, n), make([]int, n)}
	for i := range n {
		w.max[i], w.indices[i] = float64(least[T]()), -1
	}
	visit(g, func(y, at int) {
		w.all[y]++
		if at < 0 {
			return
		}
		v := float64(x[at])
		w.count[y]++
		w.mean[y] += v
		if m := w.max[y]; w.indices[y] < 0 || v > m || v != v && m == m {
			w.max[y], w.indices[y] = v, int64(at)
		}
	})
	for i, s := range w.mean {
		w.inner[i], w.mean[i] = s/float64(max(w.count[i], 1)), s/float64(max(w.all[i], 1))
	}
	return w
}

func TestMax(t *testing.T) {
	for i, g := range cases(t) {
		name := fmt.Sprintf("case %d", i)
		checkMax(t, name, g, kerneltest.Fill(kerneltest.Rand(1), kerneltest.Guarded[float32](t, g.N*g.C*product(g.In))))
		checkMax(t, name, g, kerneltest.Hostile(kerneltest.Rand(2), make([]float32, g.N*g.C*product(g.In))))
		checkMax(t, name, g, kerneltest.Hostile(kerneltest.Rand(3), make([]float64, g.N*g.C*product(g.In))))
		r := kerneltest.Rand(4)
		small, bytes := make([]int8, g.N*g.C*product(g.In)), make([]uint8, g.N*g.C*product(g.In))
		for i := range small {
			small[i], bytes[i] = int8(r.IntN(5)-128), uint8(r.IntN(4))
		}
		checkMax(t, name, g, small)
		checkMax(t, name, g, bytes)
	}
}

func checkMax[T Number](t *testing.T, name string, g *Geometry, x []T) {
	t.Helper()
	w, p := define(g, x), NewPlan[T](nil, g)
	for _, threads := range kerneltest.Threads {
		team := parallel.Acquire(threads)
		y, indices := make([]T, len(w.max)), make([]int64, len(w.max))
		p.Max(team, x, y, indices, false)
		require.Equal(t, w.indices, indices, name)
		for i, v := range w.max {
			got := float64(y[i])
			require.True(t, math.Float64bits(v) == math.Float64bits(got) || v != v && got != got, "%s: got %v, want %v", name, got, v)
		}
		values := make([]T, len(y))
		p.Max(team, x, values, nil, false)
		for i, v := range values {
			require.Equal(t, math.Signbit(float64(y[i])), math.Signbit(float64(v)), name)
			require.True(t, v == y[i] || v != v, name)
		}
		team.Release()
	}
}

// TestMax_halves compares the assembly with plain Go for every width.
func TestMax_halves(t *testing.T) {
	if slices.Max(cpu.Supported()) < cpu.AVX2 {
		t.Skip("this machine or build has no AVX2")
	}
	for n := range 40 {
		for seed := range uint64(20) {
			r := kerneltest.Rand(seed)
			x := kerneltest.Hostile(r, kerneltest.Guarded[float32](t, 2*(2*n+1)))
			if n == 0 {
				continue
			}
			upper, lower := x[:4*n+1], x[2*n+1:][:2*n]
			want, got := make([]float32, n), kerneltest.Guarded[float32](t, n)
			places, indices := make([]int64, n), make([]int64, n+1)
			indices[n] = 42
			maxHalvesRow(upper, lower, want, places, 7, 2*n+1)
			vectors.MaxHalves(upper, lower, got, indices[:n], 7, 2*n+1)
			require.Equal(t, -1, kerneltest.Same(want, got), "%d windows", n)
			require.Equal(t, places, indices[:n])
			require.EqualValues(t, 42, indices[n])
			clear(got)
			vectors.MaxHalves(upper, lower, got, nil, 7, 2*n+1)
			require.Equal(t, -1, kerneltest.Same(want, got), "%d windows", n)
		}
	}
}

// TestMaxBackward_halves compares the assembly with the definition for every
// width, with indices in and out of their windows.
func TestMaxBackward_halves(t *testing.T) {
	for width := 2; width < 40; width++ {
		for _, height := range []int{2, 5} {
			g := geometry(t, 2, 3, []int{height, width}, []int{height / 2, width / 2}, []int{2, 2}, []int{2, 2}, nil, nil)
			p := NewPlan[float32](nil, g)
			r := kerneltest.Rand(uint64(width))
			x := kerneltest.Hostile(r, make([]float32, g.N*g.C*product(g.In)))
			dy := kerneltest.Guarded[float32](t, g.N*g.C*product(g.Out))
			kerneltest.Hostile(r, dy)
			y, indices := make([]float32, len(dy)), make([]int64, len(dy))
			p.Max(nil, x, y, indices, false)
			in, out := product(g.In), product(g.Out)
			for _, elsewhere := range []int{-1, 0, len(dy) - 1} {
				if elsewhere >= 0 {
					indices[elsewhere] = int64(elsewhere/out*in + r.IntN(in))
				}
				want := make([]float32, len(x))
				for i, at := range indices {
					want[at] += dy[i]
				}
				dx := kerneltest.Guarded[float32](t, len(x))
				require.NoError(t, p.MaxBackward(nil, dy, indices, dx))
				require.Equal(t, -1, kerneltest.Same(want, dx), "width %d", width)
			}
			for _, bad := range []int64{-2, -1 << 32, 1<<32 + 1, math.MaxInt64, math.MinInt64} {
				indices[len(dy)-1] = bad
				require.Error(t, p.MaxBackward(nil, dy, indices, make([]float32, len(x))))
			}
		}
	}
}

func TestMax_columnMajor(t *testing.T) {
	g := geometry(t, 1, 2, []int{2, 3, 4}, []int{1, 1, 1}, []int{2, 3, 4}, nil, nil, nil)
	p := NewPlan[float32](nil, g)
	for at := range 24 {
		x, y, indices := make([]float32, 48), make([]float32, 2), make([]int64, 2)
		x[24+at] = 1
		p.Max(nil, x, y, indices, true)
		d, h, w := at/12, at/4%3, at%4
		require.EqualValues(t, 24+d+2*h+6*w, indices[1])
	}
}

func TestMax_emptyWindow(t *testing.T) {
	g := geometry(t, 1, 1, []int{2}, []int{3}, []int{1}, []int{2}, nil, []int{2, 2})
	y, indices := make([]float32, 3), make([]int64, 3)
	p := NewPlan[float32](nil, g)
	p.Max(nil, []float32{5, 6}, y, indices, false)
	require.Equal(t, []int64{-1, 0, -1}, indices)
	require.True(t, math.IsInf(float64(y[0]), -1))
	dx := make([]float32, 2)
	require.NoError(t, p.MaxBackward(nil, []float32{1, 2, 3}, indices, dx))
	require.Equal(t, []float32{2, 0}, dx)
	p.Average(nil, []float32{5, 6}, y, false)
	require.Equal(t, []float32{0, 5, 0}, y)
}

func TestMaxBackward(t *testing.T) {
	for _, g := range cases(t) {
		p := NewPlan[float64](nil, g)
		x := kerneltest.Fill(kerneltest.Rand(1), make([]float64, g.N*g.C*product(g.In)))
		dy := kerneltest.Fill(kerneltest.Rand(2), make([]float64, g.N*g.C*product(g.Out)))
		y, indices := make([]float64, len(dy)), make([]int64, len(dy))
		p.Max(nil, x, y, indices, false)
		expected := make([]float64, len(x))
		for i, at := range indices {
			expected[at] += dy[i]
		}
		dx := kerneltest.Guarded[float64](t, len(x))
		require.NoError(t, p.MaxBackward(nil, dy, indices, dx))
		require.Equal(t, -1, kerneltest.Same(expected, dx))
	}
}

func TestMaxBackward_badIndex(t *testing.T) {
	g := geometry(t, 1, 2, []int{4}, []int{2}, []int{2}, []int{2}, nil, nil)
	p := NewPlan[float32](nil, g)
	for _, bad := range []int64{-2, 4, 8, math.MaxInt64, math.MinInt64} {
		err := p.MaxBackward(nil, make([]float32, 4), []int64{bad, 0, 4, 5}, make([]float32, 8))
		require.EqualError(t, err, "an index of channel 0 points outside of it")
	}
	require.ErrorContains(t, p.MaxBackward(nil, make([]float32, 4), []int64{0, 1, 1, 5}, make([]float32, 8)), "channel 1")
}

func TestAverage(t *testing.T) {
	for i, g := range cases(t) {
		p := NewPlan[float32](nil, g)
		x := kerneltest.Fill(kerneltest.Rand(1), kerneltest.Guarded[float32](t, g.N*g.C*product(g.In)))
		w := define(g, x)
		for _, threads := range kerneltest.Threads {
			team := parallel.Acquire(threads)
			y := kerneltest.Guarded[float32](t, len(w.mean))
			p.Average(team, x, y, true)
			worst, at := kerneltest.Worst(y, w.mean, product(g.Kernel))
			require.LessOrEqual(t, worst, 1.0, "case %d at %d", i, at)
			p.Average(team, x, y, false)
			worst, at = kerneltest.Worst(y, w.inner, product(g.Kernel))
			require.LessOrEqual(t, worst, 1.0, "case %d at %d", i, at)
			team.Release()
		}
	}
}

func TestAverageBackward(t *testing.T) {
	for i, g := range cases(t) {
		p := NewPlan[float64](nil, g)
		x := make([]float64, g.N*g.C*product(g.In))
		w := define(g, x)
		dy := kerneltest.Fill(kerneltest.Rand(2), make([]float64, len(w.mean)))
		all, inner := make([]float64, len(x)), make([]float64, len(x))
		visit(g, func(y, at int) {
			if at >= 0 {
				all[at] += dy[y] / float64(w.all[y])
				inner[at] += dy[y] / float64(w.count[y])
			}
		})
		dx := kerneltest.Guarded[float64](t, len(x))
		p.AverageBackward(nil, dy, dx, true)
		require.InDeltaSlice(t, all, append([]float64{}, dx...), 1e-12, "case %d", i)
		p.AverageBackward(nil, dy, dx, false)
		require.InDeltaSlice(t, inner, append([]float64{}, dx...), 1e-12, "case %d", i)
	}
}

func TestNewGeometry_errors(t *testing.T) {
	bad := func(text string, n, c int, in, out, kernel, strides, dilations, pads []int) {
		t.Helper()
		_, err := NewGeometry(n, c, in, out, kernel, strides, dilations, pads)
		require.ErrorContains(t, err, text)
	}
	one, big := []int{1}, []int{math.MaxInt32}
	bad("spatial axes", 1, 1, nil, nil, nil, nil, nil, nil)
	bad("entries", 1, 1, one, one, []int{1, 1}, nil, nil, nil)
	bad("out of range", 1, 1, []int{-1}, one, one, nil, nil, nil)
	bad("out of range", 1, 1, one, one, []int{0}, nil, nil, nil)
	bad("out of range", 1, 1, one, one, one, []int{0}, nil, nil)
	bad("out of range", 1, 1, one, one, one, nil, big, nil)
	bad("out of range", 1, 1, one, one, one, nil, nil, []int{-1, 0})
	bad("too far", 1, 1, one, []int{1 << 20}, one, []int{1 << 20}, nil, nil)
	bad("too many elements", -1, 1, one, one, one, nil, nil, nil)
	bad("too many elements", 1<<30, 1<<30, []int{1 << 20}, one, one, nil, nil, nil)
}

// TestNewPlan_small: what a plan keeps does not grow with the windows.
func TestNewPlan_small(t *testing.T) {
	const n = 1 << 20
	g := geometry(t, 1, 1, []int{n, 1}, []int{n, 1}, []int{n, 1}, nil, nil, []int{n - 1, 0, 0, 0})
	require.Len(t, NewPlan[float32](nil, g).windows[0], n)
	g = geometry(t, 0, 1, []int{1 << 24}, []int{1 << 24}, []int{1}, nil, nil, nil)
	NewPlan[float32](nil, g).Max(nil, nil, nil, nil, false)
}

func TestLeast(t *testing.T) {
	require.EqualValues(t, -128, least[int8]())
	require.EqualValues(t, 0, least[uint8]())
	require.Equal(t, int64(math.MinInt64), least[int64]())
	require.EqualValues(t, 0, least[uint64]())
	require.True(t, math.IsInf(least[float64](), -1))
}

func TestPool_noAllocations(t *testing.T) {
	g := cases(t)[0]
	p := NewPlan[float32](nil, g)
	team := parallel.Acquire(2)
	defer team.Release()
	x, y := make([]float32, g.N*g.C*product(g.In)), make([]float32, g.N*g.C*product(g.Out))
	indices := make([]int64, len(y))
	require.Zero(t, testing.AllocsPerRun(10, func() {
		p.Max(team, x, y, indices, false)
		_ = p.MaxBackward(team, y, indices, x)
		p.Average(team, x, y, false)
		p.AverageBackward(team, y, x, false)
	}))
}

// FuzzPool holds the tiers against each other, and plain Go against the
// definition.
func FuzzPool(f *testing.F) {
	f.Add([]byte{5, 14, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4, 13})
	f.Add([]byte{9, 50, 5, 2, 2, 2, 1, 2, 2, 3, 0, 1, 2, 20})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 14 {
			return
		}
		at := func(i, low, high int) int { return low + int(b[i])%(high-low+1) }
		pair := func(i, low, high int) []int { return []int{at(i, low, high), at(i+1, low, high)} }
		g, err := NewGeometry(1, 2, pair(0, 1, 60), pair(12, 0, 60), pair(2, 1, 20), pair(4, 1, 3), pair(6, 1, 3), append(pair(8, 0, 9), pair(10, 0, 9)...))
		if err != nil {
			return
		}
		checkTiers(t, g)
		checkMax(t, "fuzz", g, kerneltest.Hostile(kerneltest.Rand(1), make([]float32, g.N*g.C*product(g.In))))
	})
}

// TestAverage_nothing: the mean of an empty image is 0.
func TestAverage_nothing(t *testing.T) {
	g, err := Global(1, 2, []int{0, 3})
	require.NoError(t, err)
	y := []float32{1, 2}
	NewPlan[float32](nil, g).Average(nil, nil, y, false)
	require.Equal(t, []float32{0, 0}, y)
}

func BenchmarkPool(b *testing.B) {
	g := geometry(b, 64, 32, []int{26, 26}, []int{13, 13}, []int{2, 2}, []int{2, 2}, nil, nil)
	x := kerneltest.Fill(kerneltest.Rand(1), make([]float32, g.N*g.C*product(g.In)))
	y, indices := make([]float32, g.N*g.C*product(g.Out)), make([]int64, g.N*g.C*product(g.Out))
	p := NewPlan[float32](nil, g)
	measure := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(len(y))*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gwindows/s")
		})
	}
	measure("Max", func() { p.Max(nil, x, y, nil, false) })
	measure("MaxIndices", func() { p.Max(nil, x, y, indices, false) })
	measure("MaxBackward", func() { _ = p.MaxBackward(nil, y, indices, x) })
	measure("Average", func() { p.Average(nil, x, y, false) })
	measure("AverageBackward", func() { p.AverageBackward(nil, y, x, false) })
}

// BenchmarkPool_window is the pooling behind the first convolution of a
// ResNet.
func BenchmarkPool_window(b *testing.B) {
	g := geometry(b, 1, 64, []int{112, 112}, []int{56, 56}, []int{3, 3}, []int{2, 2}, nil, []int{1, 1, 1, 1})
	global, err := Global(1, 512, []int{7, 7})
	require.NoError(b, err)
	x := kerneltest.Fill(kerneltest.Rand(1), make([]float32, g.N*g.C*product(g.In)))
	y, indices := make([]float32, g.N*g.C*product(g.Out)), make([]int64, g.N*g.C*product(g.Out))
	p, q := NewPlan[float32](nil, g), NewPlan[float32](nil, global)
	measure := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
		})
	}
	measure("Max", func() { p.Max(nil, x, y, nil, false) })
	measure("MaxIndices", func() { p.Max(nil, x, y, indices, false) })
	measure("MaxBackward", func() { _ = p.MaxBackward(nil, y, indices, x) })
	measure("Average", func() { p.Average(nil, x, y, false) })
	measure("AverageBackward", func() { p.AverageBackward(nil, y, x, false) })
	measure("GlobalAverage", func() { q.Average(nil, x, y, false) })
	measure("GlobalAverageBackward", func() { q.AverageBackward(nil, y, x, false) })
}

// TestPool_noWindows: an image may be too small for its windows.
func TestPool_noWindows(t *testing.T) {
	g := geometry(t, 1, 2, []int{2, 2}, []int{0, 1}, []int{3, 2}, nil, nil, nil)
	p := NewPlan[float32](nil, g)
	x := []float32{1, 2, 3, 4, 5, 6, 7, 8}
	p.Max(nil, x, nil, nil, false)
	p.Average(nil, x, nil, true)
	require.NoError(t, p.MaxBackward(nil, nil, nil, x))
	require.Equal(t, make([]float32, 8), x)
	x[3] = 1
	p.AverageBackward(nil, nil, x, true)
	require.Equal(t, make([]float32, 8), x)
}

// TestPool_tiers: every tier gives the bits of plain Go, for rows of any
// width and windows with every kind of border.
func TestPool_tiers(t *testing.T) {
	for width := 1; width < 75; width += 1 + width/10 {
		t.Run(fmt.Sprint(width), func(t *testing.T) { checkWidth(t, width) })
	}
	checkTiers(t, geometry(t, 1, 2, []int{40}, []int{40}, []int{3}, nil, nil, []int{1, 1}))
	checkTiers(t, geometry(t, 1, 2, []int{3, 40, 40}, []int{2, 40, 40}, []int{2, 3, 3}, nil, nil, []int{0, 1, 1, 0, 1, 1}))
	for _, in := range [][]int{{7, 7}, {1, 1}, {100, 33}} {
		g, err := Global(2, 3, in)
		require.NoError(t, err)
		checkTiers(t, g)
	}
}

func checkWidth(t *testing.T, width int) {
	for _, k := range []int{1, 2, 3, 5, 17} {
		for _, s := range []int{1, 2, 3} {
			for _, d := range []int{1, 2} {
				if width+3 <= d*(k-1) {
					continue
				}
				in := []int{5, width}
				out := []int{3, (width+3-d*(k-1)-1)/s + 1}
				checkTiers(t, geometry(t, 1, 2, in, out, []int{3, k}, []int{2, s}, []int{1, d}, []int{1, 2, 1, 1}))
			}
		}
	}
}

func checkTiers(t *testing.T, g *Geometry) {
	t.Helper()
	var first [][]float32
	var where []int64
	for _, level := range cpu.Supported() {
		var all [][]float32
		p := NewPlan[float32](For(level), g)
		for seed := range uint64(2) {
			x := kerneltest.Hostile(kerneltest.Rand(seed), kerneltest.Guarded[float32](t, g.N*g.C*product(g.In)))
			for i := range 5 {
				y := kerneltest.Guarded[float32](t, g.N*g.C*product(g.Out))
				indices := make([]int64, len(y)+1)
				indices[len(y)] = 42
				switch i {
				case 0, 1:
					p.Average(nil, x, y, i == 0)
				case 2:
					p.Max(nil, x, y, nil, false)
				default:
					p.Max(nil, x, y, indices[:len(y)], i == 4)
					if i == 3 && seed == 0 && where == nil {
						where = indices
					}
					if i == 3 && seed == 0 {
						require.Equal(t, where, indices)
					}
				}
				all = append(all, y)
			}
		}
		if first == nil {
			first = all
		}
		for i := range all {
			require.Equal(t, -1, kerneltest.Same(first[i], all[i]), "%v %d %+v", level, i, g)
		}
	}
}
