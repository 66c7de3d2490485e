package vec_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/stretchr/testify/require"
)

// TestBatch holds what batch normalisation is made of against plain Go, on every tier, and the sums against their definition.
func TestBatch(t *testing.T) {
	r := kerneltest.Rand(9)
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
			x, dy := draw(), draw()
			const mean = 0.3
			var want, got [32]float64
			var wantSquares, gotSquares [16]float64
			for i, v := range x {
				d := float64(v) - mean
				wantSquares[i%16] += float64(d * d)
				want[i%16] += float64(dy[i])
				want[16+i%16] += float64(float64(dy[i]) * d)
			}
			vec.Deviations(table, &gotSquares, x, mean)
			vec.Products(table, &got, dy, x, mean)
			require.Negative(t, kerneltest.Same(wantSquares[:], gotSquares[:]))
			require.Negative(t, kerneltest.Same(want[:], got[:]))

			y1, y2 := make([]float32, n), kerneltest.Guarded[float32](t, n)
			vec.Affine(generic, y1, x, 0.7, -0.2)
			vec.Affine(table, y2, x, 0.7, -0.2)
			requireSame(t, y1, y2)
			g := vec.BatchGrad{A: 1.3, Shift: 0.1, Mean: mean, Slope: -0.6}
			vec.RunBatchGrad(generic, &g, y1, dy, x)
			vec.RunBatchGrad(table, &g, dy, dy, x)
			requireSame(t, y1, dy)
		}
	})
}

// BenchmarkBatch runs the passes of batch normalisation over one image of one channel.
func BenchmarkBatch(b *testing.B) {
	const n = 3136
	x, y := kerneltest.Fill(kerneltest.Rand(1), make([]float32, n)), make([]float32, n)
	for _, level := range cpu.Supported() {
		b.Run(level.String(), func(b *testing.B) {
			t := vec.For(level)
			g := vec.BatchGrad{A: 1.3, Shift: 0.1, Mean: 0.1, Slope: -0.6}
			b.ReportAllocs()
			for b.Loop() {
				var s [16]float64
				var p [32]float64
				vec.Sums(t, &s, x)
				vec.Deviations(t, &s, x, 0.1)
				vec.Affine(t, y, x, 0.3, 0.4)
				vec.Products(t, &p, y, x, 0.1)
				vec.RunBatchGrad(t, &g, y, y, x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}
