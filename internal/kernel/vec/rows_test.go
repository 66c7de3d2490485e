package vec_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/stretchr/testify/require"
)

// TestRows holds what rows are normalised by against plain Go, on every tier, of ordinary and of hostile numbers.
func TestRows(t *testing.T) {
	r := kerneltest.Rand(10)
	generic := vec.For(cpu.Generic)
	eachTier(t, func(t *testing.T, table *vec.Table, n int) {
		for _, hostile := range []bool{false, true} {
			draw := func() []float32 {
				x := kerneltest.Guarded[float32](t, n)
				if hostile {
					return kerneltest.Hostile(r, x)
				}
				return kerneltest.Fill(r, x)
			}
			x, scale, bias := draw(), draw(), draw()
			want, got := make([]float32, n), kerneltest.Guarded[float32](t, n)
			for _, b := range [][]float32{nil, bias} {
				vec.Normal(generic, want, x, scale, b, 0.3, 1.7)
				vec.Normal(table, got, x, scale, b, 0.3, 1.7)
				requireSame(t, want, got)
			}
			vec.NormalWhole(generic, want, x, 0.3, 1.7, -0.3)
			vec.NormalWhole(table, got, x, 0.3, 1.7, -0.3)
			requireSame(t, want, got)
			if n == 0 {
				continue
			}
			if m := generic.Greatest(x); !hostile {
				require.InDelta(t, m, table.Greatest(x), 0)
			}
			generic.Softmax(want, x)
			table.Softmax(got, x)
			requireSame(t, want, got)
			generic.LogSoftmax(want, x)
			table.LogSoftmax(got, x)
			requireSame(t, want, got)
		}
	})
}

// TestNormal holds rows whose mean is far greater than their deviation against float64.
func TestNormal(t *testing.T) {
	const n, mean, inv = 100, 12345.678, 3.7
	r := kerneltest.Rand(11)
	x, scale, bias, y := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	kerneltest.Fill(r, scale)
	kerneltest.Fill(r, bias)
	for i := range x {
		x[i] = mean + r.Float32()
	}
	for _, level := range cpu.Supported() {
		vec.Normal(vec.For(level), y, x, scale, bias, mean, inv)
		for i, v := range x {
			require.InDelta(t, (float64(v)-mean)*inv*float64(scale[i])+float64(bias[i]), y[i], 1e-6)
		}
	}
}

// TestSoftmax holds rows of all lengths against float64.
func TestSoftmax(t *testing.T) {
	for _, n := range []int{1, 15, 16, 1024, 1025, 3000, 100_003} {
		x := kerneltest.Fill(kerneltest.Rand(uint64(n)), make([]float32, n))
		for i := range x {
			x[i] *= 20
		}
		want := make([]float64, n)
		m, sum := slices.Max(x), 0.0
		for i, v := range x {
			want[i] = math.Exp(float64(v - m)) // of a difference that is rounded, as everybody does
			sum += want[i]
		}
		for _, level := range cpu.Supported() {
			y, z := make([]float32, n), make([]float32, n)
			vec.For(level).Softmax(y, x)
			vec.For(level).LogSoftmax(z, x)
			for i, w := range want {
				require.InEpsilon(t, w/sum, y[i], 1e-6)
				require.InDelta(t, math.Log(w/sum), float64(z[i]), 4e-6)
			}
		}
	}
}

// BenchmarkRows runs rows that fit the cache of a core.
func BenchmarkRows(b *testing.B) {
	for _, n := range []int{128, 768} {
		x, y := kerneltest.Fill(kerneltest.Rand(1), make([]float32, n)), make([]float32, n)
		for _, level := range cpu.Supported() {
			t := vec.For(level)
			run := func(name string, f func()) {
				b.Run(name+"/"+level.String(), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						f()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
				})
			}
			run("Softmax", func() { t.Softmax(y, x) })
			run("Normal", func() { vec.Normal(t, y, x, x, x, 0.1, 0.2) })
		}
	}
}
