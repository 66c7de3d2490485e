package vec_test

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/stretchr/testify/require"
)

var functions = []struct {
	name  string
	f     vec.Function
	alpha float64
	exact func(float64) float64
}{
	{"Exp", vec.ExpOf, 1, math.Exp},
	{"Sigmoid", vec.SigmoidOf, 1, vec.Sigmoid},
	{"Swish", vec.SwishOf, 1.5, func(x float64) float64 { return x / (1 + math.Exp(-1.5*x)) }},
	{"Silu", vec.SwishOf, 1, func(x float64) float64 { return x / (1 + math.Exp(-x)) }},
	{"Tanh", vec.TanhOf, 1, math.Tanh},
	{"Gelu", vec.GeluOf, 1, vec.Gelu},
	{"GeluTanh", vec.GeluTanhOf, 1, func(x float64) float64 {
		return x / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}},
	{"Erf", vec.ErfOf, 1, math.Erf},
}

// place is the number of a float32 in the order of all of them.
func place(v float32) int64 {
	b := int64(math.Float32bits(v))
	if b >= 1<<31 {
		return 1<<31 - b
	}
	return b
}

// TestFunctions holds functions against math over a dense grid of bit patterns: at most two float32 away, so within 2.5
// ULP, and one for what computes in float64.
func TestFunctions(t *testing.T) {
	const n, step = 4096, 99991
	for _, level := range cpu.Supported() {
		for _, f := range functions {
			t.Run(f.name+"/"+level.String(), func(t *testing.T) {
				kernel, most := vec.For(level).Of(f.f, f.alpha), int64(2)
				if f.alpha != 1 {
					most = 1
				}
				x, y := make([]float32, n), make([]float32, n)
				for b := uint64(0); b < 1<<32; {
					for i := range x {
						x[i] = math.Float32frombits(uint32(b))
						b += step
					}
					kernel(y, [][]float32{x})
					for i, v := range x {
						want := float32(f.exact(float64(v)))
						if want != want || y[i] != y[i] {
							require.Equal(t, want != want, y[i] != y[i], "%v", v)
							continue
						}
						require.LessOrEqual(t, max(place(want)-place(y[i]), place(y[i])-place(want)), most, "%s(%v) is %v, want %v", f.name, v, y[i], want)
						require.Equal(t, math.Signbit(float64(want)), math.Signbit(float64(y[i])), "%v", v)
					}
				}
			})
		}
	}
}

// TestFunctions_tiers holds that all tiers give the same bits, for all tails and hostile numbers.
func TestFunctions_tiers(t *testing.T) {
	r := kerneltest.Rand(8)
	generic := vec.For(cpu.Generic)
	for _, f := range functions {
		t.Run(f.name, func(t *testing.T) {
			eachTier(t, func(t *testing.T, table *vec.Table, n int) {
				x := guarded(t, kerneltest.Hostile(r, make([]float32, n)))
				for i := range x {
					x[i] *= 20
				}
				want, got := make([]float32, n), kerneltest.Guarded[float32](t, n)
				generic.Of(f.f, f.alpha)(want, [][]float32{x})
				table.Of(f.f, f.alpha)(got, [][]float32{x})
				requireSame(t, want, got)
				table.Of(f.f, f.alpha)(x, [][]float32{x})
				requireSame(t, want, x)
			})
		})
	}
}

// BenchmarkFunctions runs functions on what fits the cache of a core.
func BenchmarkFunctions(b *testing.B) {
	const n = 4096
	x, y := kerneltest.Fill(kerneltest.Rand(1), make([]float32, n)), make([]float32, n)
	for _, f := range functions {
		for _, level := range cpu.Supported() {
			b.Run(f.name+"/"+level.String(), func(b *testing.B) {
				kernel := vec.For(level).Of(f.f, f.alpha)
				for b.Loop() {
					kernel(y, [][]float32{x})
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
			})
		}
		b.Run(f.name+"/math", func(b *testing.B) {
			kernel := vec.Each[float32](f.exact)
			for b.Loop() {
				kernel(y, [][]float32{x})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}
