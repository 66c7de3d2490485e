package blocked

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

func geometry(t testing.TB, n, c, m, groups int, in, kernel, strides, dilations, pads []int) *conv.Geometry {
	t.Helper()
	g, err := conv.NewGeometry(n, c, m, groups, in, kernel, strides, dilations, pads)
	require.NoError(t, err)
	return g
}

// directCase is the operands of a direct convolution and what its definition
// makes of them.
type directCase struct {
	g    *conv.Geometry
	o    Options
	x, w []float32
	e    Epilogue
}

// newDirectCase fills the operands. The lanes beyond the channels hold numbers
// of no meaning.
func newDirectCase(t testing.TB, g *conv.Geometry, o Options, e Epilogue, fill func([]float32) []float32) *directCase {
	n := Len(g.N, g.C, g.ImageIn()/max(g.C, 1))
	if o.PlainInput {
		n = g.N * g.ImageIn()
	}
	c := &directCase{g: g, o: o, e: e}
	c.x = fill(kerneltest.Guarded[float32](t, n))
	c.w = fill(kerneltest.Guarded[float32](t, g.Weights()))
	if !o.PlainInput && g.C%Lanes != 0 {
		pixels := g.ImageIn() / g.C
		for i := range c.x {
			if i/Lanes/pixels%Blocks(g.C)*Lanes+i%Lanes >= g.C {
				c.x[i] = float32(i % 7)
			}
		}
	}
	return c
}

func (c *directCase) outputs() int { return Len(c.g.N, c.g.M, c.g.Pixels()) }

func (c *directCase) reference() []float32 {
	y := make([]float32, c.outputs())
	(&reference{g: c.g, o: c.o}).run(nil, c.x, c.w, &c.e, y, nil)
	return y
}

// clearRest sets the lanes beyond the channels to zero: they must be finite.
func (c *directCase) clearRest(t testing.TB, y []float32) {
	for i, v := range y {
		if i/Lanes/c.g.Pixels()%Blocks(c.g.M)*Lanes+i%Lanes >= c.g.M {
			require.Zero(t, v-v, "lane %d", i)
			y[i] = 0
		}
	}
}

func (c *directCase) run(t testing.TB, table *Table, team *parallel.Team) []float32 {
	k := newDirect(table, c.g, c.o)
	require.NotNil(t, k)
	packed := kerneltest.Guarded[float32](t, k.packedWeights())
	packAll(k, c.g, packed, c.w)
	y := kerneltest.Guarded[float32](t, c.outputs())
	k.run(team, c.x, packed, &c.e, y, kerneltest.Guarded[float32](t, k.scratch(team.Threads())))
	return y
}

// check runs a case on every tier and compares with the definition.
func (c *directCase) check(t testing.TB, name string) {
	t.Helper()
	want := c.reference()
	wide := make([]float64, len(want))
	for i, v := range want {
		wide[i] = float64(v)
	}
	var first []float32
	for _, level := range cpu.Supported() {
		got := c.run(t, For(level), nil)
		c.clearRest(t, got)
		worst, at := kerneltest.Worst(got, wide, c.g.C/c.g.Groups*c.g.Taps())
		require.LessOrEqual(t, worst, 1.0, "%s, %s: at %d", name, level, at)
		if first == nil {
			first = got
		}
		require.Equal(t, -1, kerneltest.Same(first, got), "%s: %s", name, level)
	}
}

// directGeometries are convolutions of every kind.
func directGeometries(t testing.TB) []*conv.Geometry {
	pad, three, two := []int{1, 1, 1, 1}, []int{3, 3}, []int{2, 2}
	all := []*conv.Geometry{
		geometry(t, 2, 16, 40, 1, []int{97, 98}, three, two, nil, pad), // too large for panels first
		geometry(t, 2, 16, 32, 1, []int{9, 30}, three, nil, nil, pad),
		geometry(t, 1, 20, 48, 1, []int{7, 7}, three, nil, nil, pad),
		geometry(t, 1, 32, 16, 1, []int{15, 29}, three, two, nil, pad),
		geometry(t, 2, 24, 40, 1, []int{11, 13}, []int{5, 5}, nil, nil, []int{2, 2, 2, 2}),
		geometry(t, 1, 16, 16, 1, []int{9, 9}, []int{7, 7}, []int{3, 1}, nil, []int{3, 3, 3, 3}),
		geometry(t, 1, 16, 33, 1, []int{12, 10}, []int{1, 7}, nil, nil, []int{0, 3, 0, 3}),
		geometry(t, 1, 16, 33, 1, []int{12, 10}, []int{7, 1}, nil, nil, []int{3, 0, 3, 0}),
		geometry(t, 1, 17, 31, 1, []int{20, 17}, three, nil, []int{3, 2}, []int{2, 0, 1, 3}),
		geometry(t, 2, 64, 64, 2, []int{6, 8}, three, nil, nil, pad),
		geometry(t, 1, 48, 96, 3, []int{6, 8}, three, two, two, pad),
		geometry(t, 1, 16, 16, 1, []int{2, 2}, two, nil, nil, []int{3, 3, 3, 3}),
		geometry(t, 1, 16, 16, 1, []int{2, 2}, []int{1, 1}, []int{5, 5}, nil, []int{0, 1, 4, 4}),
		geometry(t, 3, 16, 40, 1, []int{30}, []int{5}, nil, nil, []int{2, 2}),
		geometry(t, 1, 40, 16, 1, []int{130}, []int{3}, []int{1}, []int{4}, []int{0, 8}),
		geometry(t, 5, 32, 48, 1, []int{1, 1}, []int{1, 1}, nil, nil, nil),
		geometry(t, 2, 32, 48, 1, []int{1, 1}, three, nil, nil, pad),
		geometry(t, 2, 18, 20, 1, []int{5, 6}, []int{1, 1}, two, nil, nil),
	}
	for size := 1; size <= 30; size++ {
		all = append(all, geometry(t, 1+size%2, 16, 16*(1+size%3), 1, []int{size, 31 - size}, three, nil, nil, pad))
	}
	for _, c := range []int{1, 3, 16, 17, 31, 32, 33, 48, 64} {
		for _, m := range []int{1, 3, 16, 17, 31, 32, 33, 48, 64} {
			all = append(all, geometry(t, 1, c, m, 1, []int{3, 5}, []int{1, 1}, nil, nil, nil))
		}
	}
	return all
}

func TestDirect(t *testing.T) {
	for i, g := range directGeometries(t) {
		r := kerneltest.Rand(uint64(i))
		fill := func(s []float32) []float32 { return kerneltest.Fill(r, s) }
		for _, o := range []Options{{}, {PlainInput: true}} {
			if o.PlainInput && g.Groups > 1 {
				continue
			}
			name := fmt.Sprintf("%+v, %+v", *g, o)
			newDirectCase(t, g, o, Epilogue{}, fill).check(t, name)
			e := Epilogue{Bias: fill(kerneltest.Guarded[float32](t, g.M)), Residual: fill(kerneltest.Guarded[float32](t, Len(g.N, g.M, g.Pixels())))}
			e.Act, e.Alpha, e.Beta = Activation(i)%(Tanh+1), 0.25, 0.75
			newDirectCase(t, g, o, e, fill).check(t, name)
		}
	}
}

// TestDirect_hostile: NaN and infinities come out where they must.
func TestDirect_hostile(t *testing.T) {
	for i, g := range directGeometries(t)[:20] {
		r := kerneltest.Rand(uint64(i))
		fill := func(s []float32) []float32 { return kerneltest.Hostile(r, s) }
		for _, act := range []Activation{Identity, Relu, Clip} {
			c := newDirectCase(t, g, Options{}, Epilogue{Bias: fill(make([]float32, g.M)), Act: act, Beta: 6}, fill)
			want := c.reference()
			var first []float32
			for _, level := range cpu.Supported() {
				got := c.run(t, For(level), nil)
				if first == nil {
					first = got
				}
				require.Equal(t, -1, kerneltest.Same(first, got), "case %d: %s", i, level)
				for p, v := range want {
					if v != v {
						require.True(t, got[p] != got[p], "case %d, %s: %v at %d", i, level, got[p], p)
					}
				}
			}
		}
	}
}

func TestDirect_threads(t *testing.T) {
	for i, g := range directGeometries(t)[:20] {
		r := kerneltest.Rand(uint64(i))
		fill := func(s []float32) []float32 { return kerneltest.Fill(r, s) }
		e := Epilogue{Bias: fill(make([]float32, g.M)), Act: HardSwish}
		c := newDirectCase(t, g, Options{}, e, fill)
		table := *Best()
		table.direct.grain = 1
		want := c.run(t, &table, nil)
		for _, threads := range kerneltest.Threads {
			team := parallel.Acquire(threads)
			require.Equal(t, -1, kerneltest.Same(want, c.run(t, &table, team)), "case %d: %d threads", i, threads)
			team.Release()
		}
	}
}

func TestDirect_noAllocations(t *testing.T) {
	for _, act := range []Activation{Clip, SiLU} {
		g := geometry(t, 2, 24, 40, 1, []int{14, 14}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1})
		c := newDirectCase(t, g, Options{}, Epilogue{Bias: make([]float32, g.M), Act: act}, func(s []float32) []float32 { return s })
		p := NewPlan(nil, g, Options{Direct: true})
		packed, y, scratch := make([]float32, p.PackedWeights()), make([]float32, c.outputs()), make([]float32, p.Scratch(2))
		team := parallel.Acquire(2)
		require.Zero(t, testing.AllocsPerRun(10, func() { p.Run(team, c.x, packed, c.e, y, scratch) }))
		team.Release()
	}
}

// TestDirect_residualInPlace: the residual may be the result's own buffer.
func TestDirect_residualInPlace(t *testing.T) {
	g := geometry(t, 1, 16, 48, 1, []int{9, 11}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1})
	r := kerneltest.Rand(1)
	c := newDirectCase(t, g, Options{}, Epilogue{}, func(s []float32) []float32 { return kerneltest.Fill(r, s) })
	c.e.Residual = kerneltest.Fill(r, make([]float32, c.outputs()))
	for _, level := range cpu.Supported() {
		want := c.run(t, For(level), nil)
		k := newDirect(For(level), g, c.o)
		packed := make([]float32, k.packedWeights())
		packAll(k, c.g, packed, c.w)
		y := append([]float32(nil), c.e.Residual...)
		k.run(nil, c.x, packed, &Epilogue{Residual: y}, y, nil)
		require.Equal(t, want, y)
	}
}

// TestEpilogue_activate: the vectors do what the definition says.
func TestEpilogue_activate(t *testing.T) {
	r := kerneltest.Rand(3)
	for _, level := range cpu.Supported() {
		restore := Override(For(level))
		for act := Identity; act <= Tanh; act++ {
			for _, n := range []int{0, 5, 16, 48} {
				e := Epilogue{Act: act, Alpha: 0.2, Beta: 0.5}
				x := kerneltest.Hostile(r, make([]float32, n))
				y := kerneltest.Guarded[float32](t, n)
				copy(y, x)
				e.activate(y)
				for i, v := range x {
					want := e.apply(v)
					if act == SiLU && math.IsInf(float64(v), -1) {
						continue // the limit is 0, the definition's product is NaN
					}
					if act == Sigmoid || act == SiLU || act == Tanh {
						require.Equal(t, want != want, y[i] != y[i], "%s, activation %d of %v", level, act, v)
						if want-want == 0 {
							require.InDelta(t, want, y[i], 1e-6*(1+math.Abs(float64(want))), "%s, activation %d of %v", level, act, v)
						}
						continue
					}
					require.Equal(t, -1, kerneltest.Same([]float32{want}, y[i:i+1]), "%s, activation %d of %v: %v, not %v", level, act, v, y[i], want)
				}
			}
		}
		restore()
	}
}

// FuzzDirect compares all tiers with the definition on geometries from bytes.
func FuzzDirect(f *testing.F) {
	f.Add([]byte{1, 20, 30, 0, 5, 6, 2, 2, 0, 1, 0, 0, 1, 0, 1, 0, 3})
	f.Add([]byte{0, 16, 33, 1, 9, 13, 3, 1, 1, 1, 1, 0, 0, 1, 2, 0, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 17 {
			return
		}
		at := func(i, below int) int { return int(b[i]) % below }
		groups, c, m := 1, 1+at(1, 40), 1+at(2, 70)
		if b[3]%4 == 3 {
			groups, c, m = 2, 32*(1+at(1, 2)), 32*(1+at(2, 2))
		}
		g, err := conv.NewGeometry(1+at(0, 2), c, m, groups,
			[]int{at(4, 10), at(5, 40)}, []int{1 + at(6, 4), 1 + at(7, 4)}, []int{1 + at(8, 3), 1 + at(9, 3)},
			[]int{1 + at(10, 3), 1 + at(11, 3)}, []int{at(12, 4), at(13, 4), at(14, 4), at(15, 4)})
		o := Options{PlainInput: b[3]%4 == 2}
		if err != nil || newDirect(Best(), g, o) == nil {
			return
		}
		r := kerneltest.Rand(uint64(b[16]))
		fill := func(s []float32) []float32 { return kerneltest.Fill(r, s) }
		e := Epilogue{Bias: fill(make([]float32, m)), Act: Activation(b[16]) % (Tanh + 1), Alpha: 0.5, Beta: 0.75}
		newDirectCase(t, g, o, e, fill).check(t, fmt.Sprintf("%+v", *g))
	})
}

// BenchmarkConv reports the speed of direct convolutions of known networks.
func BenchmarkConv(b *testing.B) {
	pad, three, one, two := []int{1, 1, 1, 1}, []int{3, 3}, []int{1, 1}, []int{2, 2}
	square := func(n int) []int { return []int{n, n} }
	for _, c := range []struct {
		name  string
		g     *conv.Geometry
		plain bool
	}{
		{"3x3-64-64-56", geometry(b, 1, 64, 64, 1, square(56), three, nil, nil, pad), false},
		{"3x3-128-128-28", geometry(b, 1, 128, 128, 1, square(28), three, nil, nil, pad), false},
		{"3x3-256-256-14", geometry(b, 1, 256, 256, 1, square(14), three, nil, nil, pad), false},
		{"3x3-512-512-7", geometry(b, 1, 512, 512, 1, square(7), three, nil, nil, pad), false},
		{"3x3s2-128-128-56", geometry(b, 1, 128, 128, 1, square(56), three, two, nil, pad), false},
		{"3x3s2-256-512-14", geometry(b, 1, 256, 512, 1, square(14), three, two, nil, pad), false},
		{"1x1-64-256-56", geometry(b, 1, 64, 256, 1, square(56), one, nil, nil, nil), false},
		{"1x1-256-64-56", geometry(b, 1, 256, 64, 1, square(56), one, nil, nil, nil), false},
		{"1x1-1024-256-14", geometry(b, 1, 1024, 256, 1, square(14), one, nil, nil, nil), false},
		{"1x1-512-2048-7", geometry(b, 1, 512, 2048, 1, square(7), one, nil, nil, nil), false},
		{"1x1-2048-512-7", geometry(b, 1, 2048, 512, 1, square(7), one, nil, nil, nil), false},
		{"1x1s2-256-512-56", geometry(b, 1, 256, 512, 1, square(56), one, two, nil, nil), false},
		{"1x1-16-96-112", geometry(b, 1, 16, 96, 1, square(112), one, nil, nil, nil), false},
		{"1x1-96-24-56", geometry(b, 1, 96, 24, 1, square(56), one, nil, nil, nil), false},
		{"1x1-24-144-56", geometry(b, 1, 24, 144, 1, square(56), one, nil, nil, nil), false},
		{"1x1-32-192-28", geometry(b, 1, 32, 192, 1, square(28), one, nil, nil, nil), false},
		{"1x1-192-32-28", geometry(b, 1, 192, 32, 1, square(28), one, nil, nil, nil), false},
		{"1x1-64-384-14", geometry(b, 1, 64, 384, 1, square(14), one, nil, nil, nil), false},
		{"1x1-576-96-14", geometry(b, 1, 576, 96, 1, square(14), one, nil, nil, nil), false},
		{"1x1-160-960-7", geometry(b, 1, 160, 960, 1, square(7), one, nil, nil, nil), false},
		{"1x1-960-320-7", geometry(b, 1, 960, 320, 1, square(7), one, nil, nil, nil), false},
		{"1x1-320-1280-7", geometry(b, 1, 320, 1280, 1, square(7), one, nil, nil, nil), false},
		{"1x1-1280-1000-1", geometry(b, 1, 1280, 1000, 1, square(1), one, nil, nil, nil), false},
		{"1x1-96-4-1", geometry(b, 1, 96, 4, 1, square(1), one, nil, nil, nil), false},
		{"7x7s2-3-64-224", geometry(b, 1, 3, 64, 1, square(224), []int{7, 7}, two, nil, []int{3, 3, 3, 3}), true},
		{"3x3s2-3-32-224", geometry(b, 1, 3, 32, 1, square(224), three, two, nil, pad), true},
		{"3x3-3-64-224", geometry(b, 1, 3, 64, 1, square(224), three, nil, nil, pad), true},
		{"4x4s4-3-96-224", geometry(b, 1, 3, 96, 1, square(224), []int{4, 4}, []int{4, 4}, nil, nil), true},
		{"16x16s16-3-768-224", geometry(b, 1, 3, 768, 1, square(224), []int{16, 16}, []int{16, 16}, nil, nil), true},
	} {
		for _, level := range cpu.Supported()[1:] {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%s/%d", c.name, level, threads), func(b *testing.B) {
					benchmarkDirect(b, For(level), c.g, Options{PlainInput: c.plain, Direct: true}, threads, false)
				})
				b.Run(fmt.Sprintf("cold/%s/%s/%d", c.name, level, threads), func(b *testing.B) {
					benchmarkDirect(b, For(level), c.g, Options{PlainInput: c.plain, Direct: true}, threads, true)
				})
			}
		}
	}
}

// BenchmarkDirectTile reports what a tile reaches with everything in the first
// cache.
func BenchmarkDirectTile(b *testing.B) {
	const blocks, calls = 8, 20
	for _, level := range cpu.Supported()[1:] {
		table := For(level).direct
		for pixels := 1; pixels <= table.pixels; pixels++ {
			for width := Lanes; width <= table.width; width += Lanes {
				b.Run(fmt.Sprintf("%s/%dx%d", level, pixels, width), func(b *testing.B) {
					x, w, y := onLine(blocks*pixels*Lanes), onLine(blocks*Lanes*width), onLine(pixels*width)
					t := directTile{repeats: 1, x: x, w: w, y: y, pixels: pixels, xPixel: 64, yPixel: 64, yBlock: 64 * pixels, rows: 1, cols: 1, channels: 4 * blocks, channelStep: 64 * (pixels - 1)}
					t.xSecond, t.ySecond = 64*((pixels+1)/2), 64*((pixels+1)/2)
					best := time.Hour
					for b.Loop() {
						start := time.Now()
						for range calls {
							table.run(&t, width, false)
						}
						best = min(best, time.Since(start))
					}
					b.ReportMetric(2*float64(pixels*width*blocks*Lanes*calls)/best.Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}

// benchmarkDirect runs a convolution again and again: cold, with weights that
// are new to the caches each time, as in a network, where they were read one
// run ago.
func benchmarkDirect(b *testing.B, table *Table, g *conv.Geometry, o Options, threads int, cold bool) {
	team := parallel.Acquire(threads)
	defer team.Release()
	r := kerneltest.Rand(1)
	c := newDirectCase(b, g, o, Epilogue{}, func(s []float32) []float32 { return kerneltest.Fill(r, onLine(len(s))) })
	k := newDirect(table, g, o)
	copies := 1
	if cold {
		copies += 16 << 20 / k.packedWeights()
	}
	packed := make([][]float32, min(copies, 256))
	for i := range packed {
		packed[i] = onLine(k.packedWeights())
		packAll(k, g, packed[i], c.w)
	}
	y, scratch := onLine(c.outputs()), onLine(k.scratch(threads))
	e := Epilogue{Bias: make([]float32, g.M), Act: Relu}
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		k.run(team, c.x, packed[len(times)%len(packed)], &e, y, scratch)
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	at := 0
	if cold {
		at = len(times) / 10
	}
	flop := 2 * float64(g.N) * float64(g.ImageOut()) * float64(g.C/g.Groups*g.Taps())
	b.ReportMetric(flop/times[at].Seconds()/1e9, "GFLOP/s")
}

// onLine returns n elements that begin on a cache line.
func onLine(n int) []float32 {
	s := make([]float32, n+Lanes)
	return s[int(-uintptr(unsafe.Pointer(unsafe.SliceData(s)))&63)/4:][:n]
}
