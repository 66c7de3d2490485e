package vec_test

import (
	"slices"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/stretchr/testify/require"
)

// lengths are all tails of the longest vector, and some rounds of the longest loop before them.
func lengths() []int {
	var n []int
	for i := range 35 {
		n = append(n, i, 130+i)
	}
	return n
}

// guarded is a copy of x that nothing may read or write beyond.
func guarded(t testing.TB, x []float32) []float32 {
	g := kerneltest.Guarded[float32](t, len(x))
	copy(g, x)
	return g
}

func requireSame(t *testing.T, want, got []float32) {
	t.Helper()
	if i := kerneltest.Same(want, got); i >= 0 {
		require.Failf(t, "bits differ", "element %d of %d: got %v, want %v", i, len(want), got[i], want[i])
	}
}

// eachTier runs a test for every tier of this CPU and all lengths.
func eachTier(t *testing.T, test func(t *testing.T, table *vec.Table, n int)) {
	for _, level := range cpu.Supported() {
		t.Run(level.String(), func(t *testing.T) {
			for _, n := range lengths() {
				test(t, vec.For(level), n)
			}
		})
	}
}

// kernels are the kernels under test, and what defines them.
var kernels = []struct {
	name    string
	inputs  int
	of      func(*vec.Table) func(y []float32, x [][]float32)
	defined func(y []float32, x [][]float32)
}{
	{"Add", 2, func(t *vec.Table) func(y []float32, x [][]float32) { return t.Arith(vec.Add) }, vec.Arith[float32](vec.Add)},
	{"Sub", 2, func(t *vec.Table) func(y []float32, x [][]float32) { return t.Arith(vec.Sub) }, vec.Arith[float32](vec.Sub)},
	{"Mul", 2, func(t *vec.Table) func(y []float32, x [][]float32) { return t.Arith(vec.Mul) }, vec.Arith[float32](vec.Mul)},
	{"Div", 2, func(t *vec.Table) func(y []float32, x [][]float32) { return t.Arith(vec.Div) }, vec.Arith[float32](vec.Div)},
	{"Relu", 1, func(t *vec.Table) func(y []float32, x [][]float32) { return t.Arith(vec.Relu) }, vec.Arith[float32](vec.Relu)},
	{"ReluGrad", 2, func(t *vec.Table) func(y []float32, x [][]float32) { return t.ReluGrad }, vec.ReluGrad[float32]},
	{"Max", 2, func(t *vec.Table) func(y []float32, x [][]float32) { return t.Arith(vec.Max) }, vec.Arith[float32](vec.Max)},
	{"Min", 2, func(t *vec.Table) func(y []float32, x [][]float32) { return t.Arith(vec.Min) }, vec.Arith[float32](vec.Min)},
	{"Abs", 1, func(t *vec.Table) func(y []float32, x [][]float32) { return t.Arith(vec.Abs) }, vec.Arith[float32](vec.Abs)},
	{"Neg", 1, func(t *vec.Table) func(y []float32, x [][]float32) { return t.Arith(vec.Neg) }, vec.Arith[float32](vec.Neg)},
	{"Sqrt", 1, point(func(t *vec.Table, y, x []float32) { t.Sqrt(y, x) }), defined(func(t *vec.Table, y, x []float32) { t.Sqrt(y, x) })},
	{"Clip", 1, point(clip), defined(clip)},
	{"LeakyRelu", 1, point(leakyRelu), defined(leakyRelu)},
	{"HardSigmoid", 1, point(hardSigmoid), defined(hardSigmoid)},
	{"HardSwish", 1, point(hardSwish), defined(hardSwish)},
}

func clip(t *vec.Table, y, x []float32)        { t.Clip(y, x, -0.2, 0.6) }
func leakyRelu(t *vec.Table, y, x []float32)   { t.LeakyRelu(y, x, 0.01) }
func hardSigmoid(t *vec.Table, y, x []float32) { t.HardSigmoid(y, x, 0.8, 0.5) }
func hardSwish(t *vec.Table, y, x []float32)   { t.HardSwish(y, x, 1.0/6, 0.5) }

// point makes a kernel of a function of one number, defined what plain Go makes of it.
func point(f func(t *vec.Table, y, x []float32)) func(*vec.Table) func(y []float32, x [][]float32) {
	return func(t *vec.Table) func(y []float32, x [][]float32) {
		return func(y []float32, x [][]float32) { f(t, y, x[0]) }
	}
}

func defined(f func(t *vec.Table, y, x []float32)) func(y []float32, x [][]float32) {
	return point(f)(vec.For(cpu.Generic))
}

// TestPoints holds functions against their definition.
func TestPoints(t *testing.T) {
	x := []float32{-8, -3, -0.5, 0, 0.25, 1, 3, 9}
	y := make([]float32, len(x))
	for name, c := range map[string]struct {
		f    func(t *vec.Table, y, x []float32)
		want []float32
	}{
		"Clip":        {clip, []float32{-0.2, -0.2, -0.2, 0, 0.25, 0.6, 0.6, 0.6}},
		"LeakyRelu":   {func(t *vec.Table, y, x []float32) { t.LeakyRelu(y, x, 0.5) }, []float32{-4, -1.5, -0.25, 0, 0.25, 1, 3, 9}},
		"HardSigmoid": {func(t *vec.Table, y, x []float32) { t.HardSigmoid(y, x, 0.25, 0.5) }, []float32{0, 0, 0.375, 0.5, 0.5625, 0.75, 1, 1}},
		"HardSwish":   {func(t *vec.Table, y, x []float32) { t.HardSwish(y, x, 0.25, 0.5) }, []float32{0, 0, -0.1875, 0, 0.140625, 0.75, 3, 9}},
	} {
		for _, level := range cpu.Supported() {
			c.f(vec.For(level), y, x)
			for i, want := range c.want {
				require.InDelta(t, want, y[i], 0, "%s(%v)", name, x[i])
			}
		}
	}
}

// TestTable holds every tier against plain Go, with hostile numbers, into a buffer of its own and in place.
func TestTable(t *testing.T) {
	r := kerneltest.Rand(5)
	for _, k := range kernels {
		t.Run(k.name, func(t *testing.T) {
			eachTier(t, func(t *testing.T, table *vec.Table, n int) {
				ins := make([][]float32, k.inputs)
				for i := range ins {
					ins[i] = guarded(t, kerneltest.Hostile(r, make([]float32, n)))
				}
				want, got := make([]float32, n), kerneltest.Guarded[float32](t, n)
				k.defined(want, ins)
				k.of(table)(got, ins)
				requireSame(t, want, got)
				for i := range ins {
					in := slices.Clone(ins)
					in[i] = guarded(t, ins[i])
					k.of(table)(in[i], in)
					requireSame(t, want, in[i])
				}
			})
		})
	}
}

func TestTable_sums(t *testing.T) {
	r := kerneltest.Rand(6)
	eachTier(t, func(t *testing.T, table *vec.Table, n int) {
		for _, fill := range []func([]float32){
			func(x []float32) { kerneltest.Fill(r, x) }, func(x []float32) { kerneltest.Hostile(r, x) },
		} {
			x := kerneltest.Guarded[float32](t, n)
			fill(x)
			want, got := [16]float64{3, -1}, [16]float64{3, -1}
			for i, v := range x {
				want[i%16] += float64(v)
			}
			vec.Sums(table, &got, x)
			require.Negative(t, kerneltest.Same(want[:], got[:]))
		}
	})
}

func TestTree(t *testing.T) {
	s := [16]float64{}
	for i := range s {
		s[i] = float64(i)
	}
	require.InDelta(t, 120, vec.Tree(&s), 0)
}

// TestTable_optimizers holds steps of every tier against plain Go.
func TestTable_optimizers(t *testing.T) {
	r := kerneltest.Rand(7)
	generic := vec.For(cpu.Generic)
	eachTier(t, func(t *testing.T, table *vec.Table, n int) {
		for _, hostile := range []bool{false, true} {
			draw := func() []float32 {
				x := make([]float32, n)
				if hostile {
					return kerneltest.Hostile(r, x)
				}
				return kerneltest.Fill(r, x)
			}
			w, m, v, g := draw(), draw(), draw(), draw()
			for i := range v {
				if !hostile {
					v[i] *= v[i]
				}
			}
			for _, keras := range []bool{false, true} {
				s := vec.Adam[float32]{Scale: 0.5, Beta2: 0.999, OneBeta1: 0.1, OneBeta2: 0.001, Rate: 0.003, Root: 0.7, Epsilon: 1e-7, Keras: keras}
				w1, m1, v1 := slices.Clone(w), slices.Clone(m), slices.Clone(v)
				w2, m2, v2 := guarded(t, w), guarded(t, m), guarded(t, v)
				s.Step(generic, w1, m1, v1, nil, g)
				s.Step(table, w2, m2, v2, nil, guarded(t, g))
				requireSame(t, w1, w2)
				requireSame(t, m1, m2)
				requireSame(t, v1, v2)
			}
			s := vec.SGD[float32]{Scale: 0.3, Decay: vec.Decay[float32]{LR: 0.01}}
			w1, w2 := slices.Clone(w), guarded(t, w)
			s.Step(generic, w1, g)
			s.Step(table, w2, guarded(t, g))
			requireSame(t, w1, w2)
		}
	})
}

// BenchmarkTable runs kernels on what fits the cache of a core.
func BenchmarkTable(b *testing.B) {
	const n = 16384
	x := [][]float32{kerneltest.Fill(kerneltest.Rand(1), make([]float32, n)), kerneltest.Fill(kerneltest.Rand(2), make([]float32, n))}
	y := make([]float32, n)
	for _, k := range kernels {
		for _, level := range cpu.Supported() {
			b.Run(k.name+"/"+level.String(), func(b *testing.B) {
				f := k.of(vec.For(level))
				b.SetBytes(4 * n * int64(k.inputs+1))
				for b.Loop() {
					f(y, x[:k.inputs])
				}
			})
		}
	}
	s := vec.Adam[float32]{Scale: 1, Beta2: 0.999, OneBeta1: 0.1, OneBeta2: 0.001, Rate: 0.003, Epsilon: 1e-7, Keras: true}
	for _, level := range cpu.Supported() {
		b.Run("Adam/"+level.String(), func(b *testing.B) {
			w, m, v := make([]float32, n), make([]float32, n), make([]float32, n)
			for b.Loop() {
				s.Step(vec.For(level), w, m, v, nil, x[0])
			}
		})
		b.Run("Sums/"+level.String(), func(b *testing.B) {
			var sums [16]float64
			for b.Loop() {
				vec.Sums(vec.For(level), &sums, x[0])
			}
		})
	}
}
