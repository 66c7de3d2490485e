package blocked

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// A winogradCase is a convolution by 3x3 with numbers for it.
type winogradCase struct {
	form              int
	g                 *conv.Geometry
	x, w, bias, resid []float32
}

func winogradGeometry(t testing.TB, n, c, m, groups, h, w int, pads ...int) *conv.Geometry {
	t.Helper()
	g, err := conv.NewGeometry(n, c, m, groups, []int{h, w}, []int{3, 3}, nil, nil, pads)
	require.NoError(t, err)
	return g
}

// newWinogradCase fills guarded buffers. The lanes beyond C hold numbers as
// well.
func newWinogradCase(t testing.TB, g *conv.Geometry) *winogradCase {
	r := kerneltest.Rand(uint64(g.C*g.M + g.In[0]*31 + g.In[1]))
	fill := func(n int) []float32 { return kerneltest.Fill(r, kerneltest.Guarded[float32](t, n)) }
	return &winogradCase{
		form: 1, g: g, x: fill(Len(g.N, g.C, g.In[0]*g.In[1])), w: fill(g.Weights()),
		bias: fill(g.M), resid: fill(Len(g.N, g.M, g.Pixels())),
	}
}

func (c *winogradCase) run(t testing.TB, level cpu.Level, team *parallel.Team, e Epilogue) []float32 {
	k := makeWinograd(For(level), c.g, c.form)
	u := kerneltest.Guarded[float32](t, k.packedWeights())
	packAll(k, c.g, u, c.w)
	y := kerneltest.Guarded[float32](t, Len(c.g.N, c.g.M, c.g.Pixels()))
	k.t.alone = 0 // the table is this test's own
	k.run(team, c.x, u, &e, y, kerneltest.Guarded[float32](t, k.scratch(team.Threads())))
	return y
}

// worst returns the greatest error of y over the root mean square of the sums
// before the activation, which is never much steeper than 1.
func (c *winogradCase) worst(y []float32, e Epilogue) float64 {
	want, sums := make([]float32, len(y)), make([]float32, len(y))
	(&reference{g: c.g}).run(nil, c.x, c.w, &e, want, nil)
	e.Act = Identity
	(&reference{g: c.g}).run(nil, c.x, c.w, &e, sums, nil)
	worst, squares := 0.0, 0.0
	pixels := c.g.Pixels()
	for i, v := range want {
		if i/(pixels*Lanes)%Blocks(c.g.M)*Lanes+i%Lanes >= c.g.M {
			continue
		}
		worst = math.Max(worst, math.Abs(float64(v)-float64(y[i])))
		squares += float64(sums[i]) * float64(sums[i])
	}
	return worst / math.Sqrt(squares/float64(c.g.N*c.g.ImageOut()))
}

// TestWinograd_accuracy prints the errors that users meet, by layers of well
// known networks.
func TestWinograd_accuracy(t *testing.T) {
	for _, s := range [][3]int{{16, 16, 30}, {64, 64, 28}, {128, 128, 14}, {256, 128, 14}, {512, 64, 7}} {
		c := newWinogradCase(t, winogradGeometry(t, 1, s[0], s[1], 1, s[2], s[2], 1, 1, 1, 1))
		for c.form = range winogradForms {
			e := c.worst(c.run(t, cpu.Tier(), nil, Epilogue{}), Epilogue{})
			t.Logf("F(%d,3), %d to %d channels, %dx%d: %.2g", winogradForms[c.form].side, s[0], s[1], s[2], s[2], e)
			require.Less(t, e, 3e-5)
		}
	}
}

// sameOnAllTiers checks one case against the reference and every tier against
// plain Go.
func (c *winogradCase) sameOnAllTiers(t *testing.T, e Epilogue, name string) {
	t.Helper()
	for c.form = range winogradForms {
		want := c.run(t, cpu.Generic, nil, e)
		require.Less(t, c.worst(want, e), 2e-5, name)
		for _, level := range cpu.Supported()[1:] {
			require.Equal(t, -1, kerneltest.Same(want, c.run(t, level, nil, e)), "%s on %s", name, level)
		}
	}
}

func TestWinograd_channels(t *testing.T) {
	for _, c := range []int{16, 17, 24, 32, 48, 64, 100} {
		for _, m := range []int{16, 33, 80} {
			k := newWinogradCase(t, winogradGeometry(t, 1, c, m, 1, 9, 6, 1, 1, 1, 1))
			k.sameOnAllTiers(t, Epilogue{Bias: k.bias}, fmt.Sprint(c, " to ", m))
		}
	}
	k := newWinogradCase(t, winogradGeometry(t, 3, 96, 48, 3, 7, 7, 1, 1, 1, 1))
	k.sameOnAllTiers(t, Epilogue{Bias: k.bias}, "groups")
}

func TestWinograd_sizes(t *testing.T) {
	for size := 1; size <= 30; size++ {
		k := newWinogradCase(t, winogradGeometry(t, 2, 17, 24, 1, size, 31-size, 1, 1, 1, 1))
		k.sameOnAllTiers(t, Epilogue{}, fmt.Sprint(size))
	}
	k := newWinogradCase(t, winogradGeometry(t, 1, 16, 16, 1, 5, 150, 1, 1, 1, 1))
	k.sameOnAllTiers(t, Epilogue{}, "several strips")
}

func TestWinograd_pads(t *testing.T) {
	for p := range 81 {
		pads := []int{p % 3, p / 3 % 3, p / 9 % 3, p / 27}
		k := newWinogradCase(t, winogradGeometry(t, 1, 16, 17, 1, 3+p%4, 4+p%3, pads...))
		k.sameOnAllTiers(t, Epilogue{}, fmt.Sprint(pads))
	}
	k := newWinogradCase(t, winogradGeometry(t, 1, 16, 17, 1, 1, 1, 2, 2, 2, 2))
	k.sameOnAllTiers(t, Epilogue{}, "a pixel")
}

func TestWinograd_epilogue(t *testing.T) {
	k := newWinogradCase(t, winogradGeometry(t, 2, 32, 40, 1, 6, 7, 1, 0, 1, 2))
	for act := Identity; act <= Tanh; act++ {
		e := Epilogue{Bias: k.bias, Residual: k.resid, Act: act, Alpha: -0.25, Beta: 0.75}
		k.sameOnAllTiers(t, e, fmt.Sprint("activation ", act))
	}
}

func TestWinograd_residualInPlace(t *testing.T) {
	c := newWinogradCase(t, winogradGeometry(t, 1, 16, 32, 1, 9, 9, 1, 1, 1, 1))
	e := Epilogue{Residual: c.resid, Act: Relu}
	want := c.run(t, cpu.Tier(), nil, e)
	k := makeWinograd(Best(), c.g, 1)
	u := make([]float32, k.packedWeights())
	packAll(k, c.g, u, c.w)
	k.run(nil, c.x, u, &e, c.resid, make([]float32, k.scratch(1)))
	require.Equal(t, want, c.resid)
}

// TestWinograd_threads takes sizes that are shared by groups of tiles and
// sizes that are shared by panels.
func TestWinograd_threads(t *testing.T) {
	for _, g := range []*conv.Geometry{
		winogradGeometry(t, 1, 32, 96, 1, 14, 14, 1, 1, 1, 1),
		winogradGeometry(t, 3, 64, 64, 1, 30, 29, 1, 1, 1, 1),
		winogradGeometry(t, 2, 96, 96, 3, 21, 10, 1, 1, 1, 1),
		winogradGeometry(t, 1, 512, 48, 1, 7, 14, 1, 1, 1, 1),
	} {
		c := newWinogradCase(t, g)
		e := Epilogue{Bias: c.bias, Residual: c.resid, Act: Relu}
		want := c.run(t, cpu.Tier(), nil, e)
		for _, n := range kerneltest.Threads {
			team := parallel.Acquire(n)
			for range 3 {
				require.Equal(t, -1, kerneltest.Same(want, c.run(t, cpu.Tier(), team, e)), "%v on %d threads", g.In, n)
			}
			team.Release()
		}
	}
}

// TestWinograd_images computes images together and alone.
func TestWinograd_images(t *testing.T) {
	c := newWinogradCase(t, winogradGeometry(t, 5, 16, 32, 1, 7, 6, 1, 1, 1, 1))
	want := c.run(t, cpu.Tier(), nil, Epilogue{Bias: c.bias})
	one := *c
	one.g = winogradGeometry(t, 1, 16, 32, 1, 7, 6, 1, 1, 1, 1)
	for i := range 5 {
		in, out := len(c.x)/5, len(want)/5
		one.x = c.x[i*in:][:in]
		require.Equal(t, want[i*out:][:out], one.run(t, cpu.Tier(), nil, Epilogue{Bias: c.bias}))
	}
}

// TestWinograd_hostile expects the same bits on every tier, and NaN where the
// reference has it.
func TestWinograd_hostile(t *testing.T) {
	c := newWinogradCase(t, winogradGeometry(t, 1, 16, 32, 1, 13, 11, 1, 1, 1, 1))
	r := kerneltest.Rand(9)
	for range 4 {
		kerneltest.Fill(r, c.x)
		kerneltest.Hostile(r, c.x[r.IntN(len(c.x)-64):][:64])
		kerneltest.Hostile(r, c.resid)
		for _, e := range []Epilogue{{Bias: c.bias}, {Residual: c.resid, Act: Relu}, {Residual: c.resid, Act: Clip, Beta: 6}} {
			want := c.run(t, cpu.Generic, nil, e)
			for _, level := range cpu.Supported()[1:] {
				require.Equal(t, -1, kerneltest.Same(want, c.run(t, level, nil, e)))
			}
			exact := make([]float32, len(want))
			(&reference{g: c.g}).run(nil, c.x, c.w, &e, exact, nil)
			for i, v := range exact {
				require.False(t, v != v && want[i] == want[i], "a NaN is lost")
			}
		}
	}
}

func TestWinograd_choice(t *testing.T) {
	best := Best()
	same := func(c, m, size int) *conv.Geometry { return winogradGeometry(t, 1, c, m, 1, size, size, 1, 1, 1, 1) }
	for side, gs := range map[int][]*conv.Geometry{
		4: {same(16, 16, 112), same(64, 64, 56), same(128, 128, 28), same(512, 512, 28)},
		2: {same(256, 256, 14), same(96, 48, 14), same(512, 512, 7)},
	} {
		for _, g := range gs {
			require.Equal(t, side, newWinograd(best, g, Options{}).(*winograd).side, "%d channels, %v", g.C, g.Out)
			require.Nil(t, newWinograd(best, g, Options{Direct: true}))
			require.Nil(t, newWinograd(best, g, Options{PlainInput: true}))
		}
	}
	strided, err := conv.NewGeometry(1, 64, 64, 1, []int{56, 56}, []int{3, 3}, []int{2, 2}, nil, nil)
	require.NoError(t, err)
	row, err := conv.NewGeometry(1, 64, 64, 1, []int{56}, []int{3}, nil, nil, nil)
	require.NoError(t, err)
	for _, g := range []*conv.Geometry{strided, row, same(8, 64, 56), same(64, 8, 56), same(512, 512, 1), same(512, 512, 4), winogradGeometry(t, 1, 32, 32, 32, 56, 56), winogradGeometry(t, 1, 32, 32, 1, 56, 56, 3, 1, 1, 1)} {
		require.Nil(t, newWinograd(best, g, Options{}))
	}
}

func TestWinograd_noAllocations(t *testing.T) {
	c := newWinogradCase(t, winogradGeometry(t, 1, 32, 32, 1, 14, 14, 1, 1, 1, 1))
	p := NewPlan(nil, c.g, Options{})
	require.IsType(t, &winograd{}, p.k)
	u := make([]float32, p.PackedWeights())
	p.PackWeights(u, c.w)
	team := parallel.Acquire(2)
	defer team.Release()
	y, scratch := make([]float32, Len(1, 32, 196)), make([]float32, p.Scratch(2))
	require.Zero(t, testing.AllocsPerRun(20, func() {
		p.Run(team, c.x, u, Epilogue{Bias: c.bias, Act: Relu}, y, scratch)
	}))
}

func FuzzWinograd(f *testing.F) {
	f.Add(uint64(1), uint8(1), uint8(16), uint8(32), uint8(7), uint8(7), uint8(40))
	f.Add(uint64(2), uint8(2), uint8(33), uint8(16), uint8(1), uint8(70), uint8(40))
	f.Fuzz(func(t *testing.T, seed uint64, n, c, m, h, w, pads uint8) {
		p := []int{int(pads) % 3, int(pads) / 3 % 3, int(pads) / 9 % 3, int(pads) / 27 % 3}
		g, err := conv.NewGeometry(int(n)%2+1, int(c)%34+16, int(m)%34+16, 1, []int{int(h)%14 + 1, int(w)%40 + 1}, []int{3, 3}, nil, nil, p)
		if err != nil {
			t.Skip("no such convolution")
		}
		k := newWinogradCase(t, g)
		kerneltest.Fill(kerneltest.Rand(seed), k.x)
		k.sameOnAllTiers(t, Epilogue{Bias: k.bias, Residual: k.resid, Act: Clip, Beta: 0.5, Alpha: -1}, "fuzz")
	})
}

// BenchmarkWinograd counts FLOP as of a direct convolution. As in a network,
// the weights of other layers pass by between two runs.
func BenchmarkWinograd(b *testing.B) {
	for _, s := range [][3]int{{64, 64, 56}, {128, 128, 28}, {256, 256, 28}, {256, 256, 14}, {512, 512, 7}} {
		for form := range winogradForms {
			for threads := 1; threads <= 2; threads++ {
				b.Run(fmt.Sprintf("%dx%dx%d/F%d/%d", s[0], s[1], s[2], winogradForms[form].side, threads), func(b *testing.B) {
					benchmarkWinograd(b, winogradGeometry(b, 1, s[0], s[1], 1, s[2], s[2], 1, 1, 1, 1), form, threads)
				})
			}
		}
	}
}

func benchmarkWinograd(b *testing.B, g *conv.Geometry, form, threads int) {
	k := makeWinograd(Best(), g, form)
	c := newWinogradCase(b, g)
	us := make([][]float32, 1+(32<<20)/k.packedWeights()/4)
	for i := range us {
		us[i] = make([]float32, k.packedWeights())
		packAll(k, c.g, us[i], c.w)
	}
	y := make([]float32, Len(1, g.M, g.Pixels()))
	scratch := make([]float32, k.scratch(threads))
	team := parallel.Acquire(threads)
	defer team.Release()
	e := &Epilogue{Bias: c.bias}
	for i := 0; b.Loop(); i++ {
		k.run(team, c.x, us[i%len(us)], e, y, scratch)
	}
	b.ReportMetric(2*9*float64(g.C*g.ImageOut())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
