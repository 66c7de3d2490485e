package rnn

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// newLayer makes a layer with random inputs.
func newLayer[T gemm.Float](t testing.TB, table *gemm.Table[T], s Shape, quick bool) *Layer[T] {
	r := kerneltest.Rand(1)
	some := func(n int) []T { return kerneltest.Fill(r, kerneltest.Guarded[T](t, n)) }
	g, h, d := s.Kind.Gates()*s.Hidden, s.Hidden, s.Directions
	l := &Layer[T]{Shape: s, Table: table, Reverse: make([]bool, d)}
	l.Reverse[d-1] = true
	sigmoid := Activation[T]{At: Sigmoid, Slope: SigmoidSlope}
	tanh := Activation[T]{At: math.Tanh, Slope: TanhSlope}
	if quick {
		of := vec.For(table.Level)
		sigmoid.All, tanh.All = of.Kernel(vec.SigmoidOf), of.Kernel(vec.TanhOf)
	}
	for range d {
		l.Acts = append(l.Acts, map[Kind][]Activation[T]{Simple: {tanh}, GRU: {sigmoid, tanh}, LSTM: {sigmoid, tanh, tanh}}[s.Kind])
	}
	l.X, l.W, l.R = some(s.rows()*s.Input), some(d*g*s.Input), some(d*g*h)
	l.B, l.H0 = some(d*2*g), some(d*s.Batch*h)
	if s.Kind == LSTM {
		l.C0, l.P = some(d*s.Batch*h), some(d*3*h)
	}
	return l
}

// run runs the forward pass and returns all outputs.
func run[T gemm.Float](t testing.TB, l *Layer[T], threads int) []T {
	team := parallel.Acquire(threads)
	defer team.Release()
	n := l.rows() * l.Directions * l.Hidden
	l.Y, l.YH = kerneltest.Guarded[T](t, n), kerneltest.Guarded[T](t, l.Directions*l.Batch*l.Hidden)
	l.YC = nil
	if l.Kind == LSTM {
		l.YC = kerneltest.Guarded[T](t, len(l.YH))
	}
	scratch := kerneltest.Guarded[T](t, l.ForwardScratch(team.Threads()))
	l.Forward(team, scratch)
	return append(append(append([]T(nil), l.Y...), l.YH...), l.YC...)
}

// pack packs the weights of l.
func pack[T gemm.Float](l *Layer[T]) {
	w, r := make([]T, l.PackedW()), make([]T, l.PackedR())
	l.PackW(w, l.W)
	l.PackR(r, l.R)
	l.W, l.R, l.Packed = w, r, true
}

// TestForward_packed: packed weights give the bits of plain ones, on all tiers and numbers of threads.
func TestForward_packed(t *testing.T) {
	t.Run("float32", testPacked[float32])
	t.Run("float64", testPacked[float64])
}

func testPacked[T gemm.Float](t *testing.T) {
	for _, kind := range []Kind{Simple, GRU, LSTM} {
		for form := range 16 {
			s := Shape{
				Kind: kind, Steps: 4, Batch: 1 + form&1*15, Input: 5, Hidden: []int{3, 33, 70, 150}[form>>1&3], Directions: 1 + form>>3,
				BatchFirst: form&4 != 0, LinearBeforeReset: form&2 != 0,
			}
			var want []T
			for _, level := range cpu.Supported() {
				table := *gemm.For[T](level)
				table.Worth = 0 // threads for the smallest step
				l := newLayer(t, &table, s, false)
				if form%3 == 0 {
					l.B, l.P, l.Clip = nil, nil, 0.8
				}
				l.Coupled = form&8 != 0
				if form%5 > 2 {
					l.Lens = make([]int32, s.Batch)
					for b := range l.Lens {
						l.Lens[b] = int32(b % 5)
					}
				}
				if want == nil {
					want = run(t, l, 1)
				}
				pack(l)
				for _, threads := range []int{1, 2, 3} {
					require.Equal(t, -1, kerneltest.Same(want, run(t, l, threads)), "%s %d threads %+v", level, threads, s)
				}
			}
		}
	}
}

func TestForward_noAllocations(t *testing.T) {
	team := parallel.Acquire(2)
	defer team.Release()
	for _, kind := range []Kind{Simple, GRU, LSTM} {
		l := newLayer(t, gemm.Best[float32](), Shape{Kind: kind, Steps: 3, Batch: 2, Input: 5, Hidden: 200, Directions: 2}, true)
		pack(l)
		scratch := make([]float32, l.ForwardScratch(team.Threads()))
		require.Zero(t, testing.AllocsPerRun(20, func() { l.Forward(team, scratch) }), "%d", kind)
	}
}

func BenchmarkForward(b *testing.B) {
	for _, level := range cpu.Supported()[1:] {
		for _, kind := range []Kind{LSTM, GRU} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%d gates/%d", level, kind.Gates(), threads), func(b *testing.B) {
					l := newLayer(b, gemm.For[float32](level), Shape{
						Kind: kind, Steps: 100, Batch: 1, Input: 256, Hidden: 256, Directions: 1, LinearBeforeReset: true,
					}, true)
					l.P = nil
					pack(l)
					l.Y = make([]float32, 100*256)
					team := parallel.Acquire(threads)
					defer team.Release()
					scratch := make([]float32, l.ForwardScratch(threads))
					best := time.Hour
					for b.Loop() {
						start := time.Now()
						l.Forward(team, scratch)
						best = min(best, time.Since(start))
					}
					b.ReportMetric(best.Seconds()*1e6, "best-µs")
				})
			}
		}
	}
}
