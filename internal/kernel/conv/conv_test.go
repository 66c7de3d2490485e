package conv

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// visit calls f for every multiplication of a convolution with the places of
// its input, weight and output.
func visit(g *Geometry, f func(x, w, y int)) {
	cg, mg, rank := g.C/g.Groups, g.M/g.Groups, len(g.In)
	out, tap := make([]int, rank), make([]int, rank)
	for n := range g.N {
		for m := range g.M {
			for o := range g.Pixels() {
				unravel(out, o, g.Out)
				y := (n*g.M+m)*g.Pixels() + o
				for c := range cg {
					for k := range g.Taps() {
						unravel(tap, k, g.Kernel)
						if at, ok := g.source(out, tap); ok {
							f((n*g.C+m/mg*cg+c)*product(g.In)+at, (m*cg+c)*g.Taps()+k, y)
						}
					}
				}
			}
		}
	}
}

func unravel(index []int, at int, sizes []int) {
	for i := len(sizes) - 1; i >= 0; i-- {
		index[i], at = at%sizes[i], at/sizes[i]
	}
}

// source returns the place in a channel that an output reads through a tap.
func (g *Geometry) source(out, tap []int) (int, bool) {
	at := 0
	for i := range out {
		p := out[i]*g.Strides[i] + tap[i]*g.Dilations[i] - g.Pads[i]
		if p < 0 || p >= g.In[i] {
			return 0, false
		}
		at = at*g.In[i] + p
	}
	return at, true
}

// data is the operands of one case and what the definition makes of them.
type data[T gemm.Float] struct {
	g                   *Geometry
	x, w, bias, dy      []T
	y, relu, dx, dw, db []float64
}

func newData[T gemm.Float](t testing.TB, g *Geometry) *data[T] {
	r := kerneltest.Rand(7)
	buffer := func(n int) []T { return kerneltest.Fill(r, kerneltest.Guarded[T](t, n)) }
	d := &data[T]{g: g, x: buffer(g.N * g.ImageIn()), w: buffer(g.Weights()), bias: buffer(g.M), dy: buffer(g.N * g.ImageOut())}
	d.y, d.relu = make([]float64, len(d.dy)), make([]float64, len(d.dy))
	d.dx, d.dw, d.db = make([]float64, len(d.x)), make([]float64, len(d.w)), make([]float64, g.M)
	visit(g, func(x, w, y int) {
		d.y[y] += float64(d.x[x]) * float64(d.w[w])
		d.dx[x] += float64(d.dy[y]) * float64(d.w[w])
		d.dw[w] += float64(d.dy[y]) * float64(d.x[x])
	})
	for i, v := range d.dy {
		m := i / g.Pixels() % g.M
		d.db[m] += float64(v)
		d.relu[i] = math.Max(d.y[i]+float64(d.bias[m]), 0)
	}
	return d
}

// results are what the kernels make of a case.
type results[T gemm.Float] struct{ y, relu, packed, dx, dw, db []T }

func (d *data[T]) run(t testing.TB, table *gemm.Table[T], team *parallel.Team) *results[T] {
	p := NewPlan(table, d.g)
	buffer := func(n int) []T { return kerneltest.Guarded[T](t, n) }
	r := &results[T]{y: buffer(len(d.dy)), relu: buffer(len(d.dy)), packed: buffer(len(d.dy)), dx: buffer(len(d.x)), dw: buffer(len(d.w)), db: buffer(d.g.M)}
	threads := team.Threads()
	p.Forward(team, d.x, Weights[T]{Data: d.w}, nil, false, r.y, buffer(p.ForwardScratch(threads, false)))
	p.Forward(team, d.x, Weights[T]{Data: d.w}, d.bias, true, r.relu, nil)
	packed := buffer(p.PackedWeights())
	p.PackWeights(packed, d.w)
	p.Forward(team, d.x, Weights[T]{Data: packed, Packed: true}, nil, false, r.packed, buffer(p.ForwardScratch(threads, true)))
	p.BackwardData(team, d.dy, d.w, r.dx, buffer(p.DataScratch(threads)))
	p.BackwardWeights(team, d.x, d.dy, r.dw, buffer(p.WeightsScratch(threads)))
	p.BackwardBias(team, d.dy, r.db)
	return r
}

func (d *data[T]) compare(t testing.TB, r *results[T], name string) {
	t.Helper()
	g := d.g
	k, pixels := g.C/g.Groups*g.Taps(), g.N*g.Pixels()
	for _, c := range []struct {
		what string
		got  []T
		want []float64
		k    int
	}{
		{"y", r.y, d.y, k},
		{"relu", r.relu, d.relu, k},
		{"packed", r.packed, d.y, k},
		{"dx", r.dx, d.dx, g.M / g.Groups * g.Taps()},
		{"dw", r.dw, d.dw, pixels},
		{"db", r.db, d.db, pixels},
	} {
		worst, at := kerneltest.Worst(c.got, c.want, c.k)
		require.LessOrEqual(t, worst, 1.0, "%s: %s at %d", name, c.what, at)
	}
}

func (r *results[T]) same(t testing.TB, s *results[T], name string) {
	t.Helper()
	for i, pair := range [][2][]T{{r.y, s.y}, {r.relu, s.relu}, {r.packed, s.packed}, {r.dx, s.dx}, {r.dw, s.dw}, {r.db, s.db}} {
		require.Equal(t, -1, kerneltest.Same(pair[0], pair[1]), "%s: result %d", name, i)
	}
}

func geometry(t testing.TB, n, c, m, groups int, in, kernel, strides, dilations, pads []int) *Geometry {
	t.Helper()
	g, err := NewGeometry(n, c, m, groups, in, kernel, strides, dilations, pads)
	require.NoError(t, err)
	return g
}

// cases are convolutions of every kind.
func cases(t testing.TB) []*Geometry {
	two := []int{2, 2}
	return []*Geometry{
		geometry(t, 2, 1, 32, 1, []int{28, 28}, []int{3, 3}, nil, nil, nil),
		geometry(t, 3, 32, 64, 1, []int{13, 13}, []int{3, 3}, nil, nil, nil),
		geometry(t, 1, 20, 33, 1, []int{9, 8}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1}),
		geometry(t, 9, 5, 7, 1, []int{9, 8}, []int{3, 2}, two, nil, []int{1, 0, 0, 2}),
		geometry(t, 1, 3, 40, 1, []int{20, 17}, []int{7, 7}, two, nil, []int{3, 3, 3, 3}),
		geometry(t, 2, 16, 16, 1, []int{11, 11}, []int{1, 1}, nil, nil, nil),
		geometry(t, 2, 16, 48, 1, []int{8, 8}, []int{1, 1}, nil, nil, nil),
		geometry(t, 2, 16, 20, 1, []int{11, 11}, []int{1, 1}, two, nil, nil),
		geometry(t, 2, 8, 8, 8, []int{10, 12}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1}),
		geometry(t, 2, 6, 12, 6, []int{10, 12}, []int{3, 3}, two, nil, []int{1, 1, 1, 1}),
		geometry(t, 4, 12, 18, 3, []int{7, 9}, []int{3, 3}, nil, two, []int{2, 2, 2, 2}),
		geometry(t, 2, 4, 6, 2, []int{15, 16}, []int{3, 4}, []int{3, 2}, []int{2, 3}, []int{0, 1, 2, 4}),
		geometry(t, 2, 3, 14, 1, []int{4, 42}, []int{3, 3}, nil, nil, nil),
		geometry(t, 1, 2, 6, 1, []int{5, 70}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1}),
		geometry(t, 1, 2, 6, 1, []int{3, 170}, []int{1, 3}, nil, nil, nil),
		geometry(t, 3, 4, 5, 1, []int{150}, []int{5}, nil, nil, []int{2, 2}),
		geometry(t, 1, 64, 40, 1, []int{130}, []int{3}, []int{1}, []int{4}, []int{0, 8}),
		geometry(t, 1, 3, 5, 1, []int{5, 6, 7}, []int{2, 3, 2}, []int{2, 1, 2}, nil, []int{1, 0, 1, 0, 1, 1}),
		geometry(t, 1, 2, 3, 1, []int{3, 4, 3, 4}, []int{2, 2, 2, 2}, nil, nil, nil),
		geometry(t, 2, 3, 4, 1, []int{1, 1}, []int{1, 1}, nil, nil, nil),
		geometry(t, 2, 3, 4, 1, []int{1, 9}, []int{1, 3}, nil, nil, nil),
		geometry(t, 2, 3, 4, 1, []int{9, 1}, []int{3, 1}, nil, nil, []int{1, 0, 1, 0}),
		geometry(t, 1, 2, 2, 1, []int{4, 4}, []int{2, 2}, nil, nil, []int{3, 3, 3, 3}),
		geometry(t, 1, 1, 1, 1, []int{2, 2}, []int{1, 1}, []int{5, 5}, nil, []int{0, 1, 4, 4}),
		geometry(t, 17, 3, 2, 1, []int{6, 6}, []int{3, 3}, nil, nil, nil),
		geometry(t, 33, 17, 20, 1, []int{2, 2}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1}),
		geometry(t, 5, 40, 33, 1, []int{5, 4}, []int{3, 3}, two, nil, []int{1, 1, 1, 1}),
		geometry(t, 20, 33, 47, 1, []int{1, 1}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1}),
		geometry(t, 6, 16, 35, 1, []int{2, 3}, []int{1, 1}, two, nil, nil),
		geometry(t, 7, 18, 16, 1, []int{4, 6}, []int{2, 3}, nil, two, []int{2, 0, 1, 3}),
		geometry(t, 4, 16, 16, 1, []int{9}, []int{3}, []int{3}, nil, []int{2, 1}),
		geometry(t, 9, 16, 35, 1, []int{2, 5}, []int{2, 3}, []int{1, 2}, nil, []int{1, 1, 0, 1}),
		geometry(t, 16, 18, 16, 1, []int{5, 3}, []int{3, 3}, two, two, []int{1, 3, 2, 3}),
		geometry(t, 9, 16, 33, 1, []int{1, 1}, []int{3, 3}, nil, nil, []int{3, 1, 3, 1}),
		geometry(t, 0, 3, 2, 1, []int{6, 6}, []int{3, 3}, nil, nil, nil),
		geometry(t, 2, 0, 2, 1, []int{6, 6}, []int{3, 3}, nil, nil, nil),
		geometry(t, 2, 3, 0, 1, []int{6, 6}, []int{3, 3}, nil, nil, nil),
		geometry(t, 1, 2, 2, 1, []int{0, 6}, []int{3, 3}, nil, nil, []int{2, 0, 2, 0}),
	}
}

func TestConv(t *testing.T) {
	t.Run("float32", testConv[float32])
	t.Run("float64", testConv[float64])
}

func testConv[T gemm.Float](t *testing.T) {
	for i, g := range cases(t) {
		d := newData[T](t, g)
		var first *results[T]
		for _, level := range cpu.Supported() {
			name := fmt.Sprintf("case %d, %+v, %s", i, *g, level)
			r := d.run(t, gemm.For[T](level), nil)
			d.compare(t, r, name)
			if first == nil {
				first = r
			}
			first.same(t, r, name)
		}
	}
}

// TestConv_crowd: many small images have the bits of each alone.
func TestConv_crowd(t *testing.T) {
	for i, g := range cases(t) {
		d := newData[float32](t, g)
		y, alone := make([]float32, len(d.dy)), make([]float32, len(d.dy))
		NewPlan[float32](nil, g).Forward(nil, d.x, Weights[float32]{Data: d.w}, d.bias, true, y, nil)
		one := *g
		one.N = 1
		p := NewPlan[float32](nil, &one)
		for n := range g.N {
			p.Forward(nil, d.x[n*g.ImageIn():], Weights[float32]{Data: d.w}, d.bias, true, alone[n*g.ImageOut():], nil)
		}
		require.Equal(t, -1, kerneltest.Same(y, alone), "case %d, %+v", i, *g)
	}
}

// TestConv_threads: equal bits for every number of threads.
func TestConv_threads(t *testing.T) {
	for i, g := range cases(t) {
		d := newData[float32](t, g)
		table := *gemm.Best[float32]()
		table.Worth = 0
		want := d.run(t, &table, nil)
		for _, threads := range kerneltest.Threads {
			team := parallel.Acquire(threads)
			want.same(t, d.run(t, &table, team), fmt.Sprintf("case %d, %d threads", i, threads))
			team.Release()
		}
	}
}

func TestConv_noAllocations(t *testing.T) {
	g := geometry(t, 6, 8, 16, 1, []int{13, 13}, []int{3, 3}, []int{1, 2}, nil, []int{1, 1, 1, 1})
	d := newData[float32](t, g)
	p := NewPlan[float32](nil, g)
	team := parallel.Acquire(2)
	defer team.Release()
	scratch := make([]float32, max(p.ForwardScratch(2, false), p.DataScratch(2), p.WeightsScratch(2)))
	y, dx, dw, db := make([]float32, len(d.dy)), make([]float32, len(d.x)), make([]float32, len(d.w)), make([]float32, g.M)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		p.Forward(team, d.x, Weights[float32]{Data: d.w}, d.bias, true, y, scratch)
		p.BackwardData(team, d.dy, d.w, dx, scratch)
		p.BackwardWeights(team, d.x, d.dy, dw, scratch)
		p.BackwardBias(team, d.dy, db)
	}))
}

func TestNewGeometry_errors(t *testing.T) {
	bad := func(text string, n, c, m, groups int, in, kernel, strides, dilations, pads []int) {
		t.Helper()
		_, err := NewGeometry(n, c, m, groups, in, kernel, strides, dilations, pads)
		require.ErrorContains(t, err, text)
	}
	one, huge := []int{5}, math.MaxInt
	bad("spatial axis", 1, 1, 1, 1, nil, nil, nil, nil, nil)
	bad("entries", 1, 1, 1, 1, one, []int{3, 3}, nil, nil, nil)
	bad("entries", 1, 1, 1, 1, one, []int{3}, nil, nil, []int{1})
	bad("groups", 1, 3, 4, 2, one, []int{3}, nil, nil, nil)
	bad("groups", 1, 3, 4, 0, one, []int{3}, nil, nil, nil)
	bad("positive", 1, 1, 1, 1, one, []int{0}, nil, nil, nil)
	bad("positive", 1, 1, 1, 1, one, []int{1}, []int{0}, nil, nil)
	bad("out of range", 1, 1, 1, 1, one, []int{1}, nil, []int{-1}, nil)
	bad("out of range", 1, 1, 1, 1, one, []int{1}, nil, nil, []int{huge, 0})
	bad("does not fit", 1, 1, 1, 1, one, []int{6}, nil, nil, nil)
	bad("does not fit", 1, 1, 1, 1, one, []int{1 << 28}, nil, []int{1 << 28}, nil)
	bad("too many elements", 1<<30, 1<<28, 1, 1, []int{1 << 28}, []int{1}, nil, nil, nil)
}

// TestNewPlan_empty: what a plan of nothing keeps is nothing.
func TestNewPlan_empty(t *testing.T) {
	const n = 1 << 22
	g := geometry(t, 0, 1, 1, 1, []int{n, 1}, []int{1, 1}, []int{2, 1}, nil, nil)
	p := NewPlan[float32](nil, g)
	require.Nil(t, p.rowOff)
	require.Nil(t, p.kOff)
	p.Forward(nil, nil, Weights[float32]{}, nil, false, nil, nil)
}

// FuzzConv compares all tiers with the definition on geometries from bytes.
func FuzzConv(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0, 5, 6, 2, 2, 0, 1, 0, 0, 1, 0, 1, 0})
	f.Add([]byte{3, 1, 8, 1, 9, 13, 3, 1, 1, 1, 1, 0, 0, 1, 2, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 16 {
			return
		}
		at := func(i, below int) int { return int(b[i]) % below }
		groups := 1 + at(3, 3)
		g, err := NewGeometry(at(0, 4), groups*at(1, 5), groups*at(2, 9), groups,
			[]int{at(4, 10), at(5, 40)}, []int{1 + at(6, 4), 1 + at(7, 4)}, []int{1 + at(8, 3), 1 + at(9, 3)},
			[]int{1 + at(10, 3), 1 + at(11, 3)}, []int{at(12, 3), at(13, 3), at(14, 3), at(15, 3)})
		if err != nil {
			return
		}
		d := newData[float32](t, g)
		var first *results[float32]
		for _, level := range cpu.Supported() {
			r := d.run(t, gemm.For[float32](level), nil)
			d.compare(t, r, level.String())
			if first == nil {
				first = r
			}
			first.same(t, r, level.String())
		}
	})
}

func TestPlan_shortSlicesPanic(t *testing.T) {
	g := geometry(t, 1, 2, 3, 1, []int{4}, []int{2}, nil, nil, nil)
	p := NewPlan[float32](nil, g)
	x, w, y := make([]float32, 8), make([]float32, 12), make([]float32, 9)
	require.Panics(t, func() { p.Forward(nil, x[:7], Weights[float32]{Data: w}, nil, false, y, nil) })
	require.Panics(t, func() { p.Forward(nil, x, Weights[float32]{Data: w[:11]}, nil, false, y, nil) })
	require.Panics(t, func() { p.Forward(nil, x, Weights[float32]{Data: w}, nil, false, y, []float32{}) })
	require.Panics(t, func() { p.BackwardData(nil, y[:8], w, x, nil) })
	require.Panics(t, func() { p.BackwardWeights(nil, x, y, w[:3], nil) })
	require.Panics(t, func() { p.BackwardBias(nil, y, w[:2]) })
}

// BenchmarkConv reports the speed of the seed network's convolutions, and of
// others, counted as direct convolutions.
func BenchmarkConv(b *testing.B) {
	pad := []int{1, 1, 1, 1}
	three := []int{3, 3}
	for _, c := range []struct {
		name string
		g    *Geometry
	}{
		{"64x1x28x28-32", geometry(b, 64, 1, 32, 1, []int{28, 28}, three, nil, nil, nil)},
		{"64x32x13x13-64", geometry(b, 64, 32, 64, 1, []int{13, 13}, three, nil, nil, nil)},
		{"1x64x56x56-64", geometry(b, 1, 64, 64, 1, []int{56, 56}, three, nil, nil, pad)},
		{"1x64x56x56-64-1x1", geometry(b, 1, 64, 64, 1, []int{56, 56}, []int{1, 1}, nil, nil, nil)},
		{"1x512x7x7-512", geometry(b, 1, 512, 512, 1, []int{7, 7}, three, nil, nil, pad)},
		{"1x3x224x224-64-7x7s2", geometry(b, 1, 3, 64, 1, []int{224, 224}, []int{7, 7}, []int{2, 2}, nil, []int{3, 3, 3, 3})},
		{"1x96x56x56-depthwise", geometry(b, 1, 96, 96, 96, []int{56, 56}, three, nil, nil, pad)},
	} {
		for _, level := range cpu.Supported()[1:] {
			for _, threads := range []int{1, 2} {
				name := fmt.Sprintf("%s/%s/%d", c.name, level, threads)
				benchmark(b, name, c.g, gemm.For[float32](level), threads)
			}
		}
	}
}

func benchmark(b *testing.B, name string, g *Geometry, table *gemm.Table[float32], threads int) {
	team := parallel.Acquire(threads)
	defer team.Release()
	r := kerneltest.Rand(1)
	buffer := func(n int) []float32 { return kerneltest.Fill(r, make([]float32, n)) }
	p := NewPlan(table, g)
	x, w, y, bias := buffer(g.N*g.ImageIn()), buffer(g.Weights()), buffer(g.N*g.ImageOut()), buffer(g.M)
	scratch := buffer(max(p.ForwardScratch(threads, false), p.DataScratch(threads), p.WeightsScratch(threads)))
	flop := 2 * float64(g.N) * float64(g.ImageOut()) * float64(g.C/g.Groups*g.Taps())
	measure := func(what string, f func()) {
		b.Run(what+"/"+name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(flop*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
	measure("Forward", func() { p.Forward(team, x, Weights[float32]{Data: w}, bias, true, y, scratch) })
	measure("Data", func() { p.BackwardData(team, y, w, x, scratch) })
	measure("Weights", func() { p.BackwardWeights(team, x, y, w, scratch) })
	measure("Bias", func() { p.BackwardBias(team, y, bias) })
}
