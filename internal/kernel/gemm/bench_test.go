package gemm

import (
	"bytes"
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// tilePeak is the GFLOP/s of a whole tile with operands in the first cache, on one thread: what a product could reach.
func tilePeak(t *Table[float32]) float64 {
	const k = 256
	r := kerneltest.Rand(1)
	a := kerneltest.Fill(r, align(make([]float32, t.Rows*k+alignment)))
	b := kerneltest.Fill(r, align(make([]float32, t.Cols*k+alignment)))
	c := make([]float32, t.Rows*t.Cols)
	return rate(t.Rows*t.Cols*k*50, func() {
		for range 50 {
			t.Tile(t.Rows, k, a, t.Rows, b, t.Cols, c, t.Cols, t.Cols, FromZero, nil, false)
		}
	})
}

// rate is the best GFLOP/s of a function of so many multiplications within some milliseconds.
func rate(work int, f func()) float64 {
	best := time.Hour
	for begin := time.Now(); time.Since(begin) < 40*time.Millisecond; {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return 2 * float64(work) / best.Seconds() / 1e9
}

// products are the sizes of layers of transformers, convolutions and classifiers.
var products = [][3]int{
	{128, 384, 384},
	{128, 1536, 384},
	{128, 384, 1536},
	{128, 768, 768},
	{128, 3072, 768},
	{128, 768, 3072},
	{197, 768, 768},
	{197, 2304, 768},
	{197, 3072, 768},
	{197, 768, 3072},
	{512, 512, 512},
	{1024, 1024, 1024},
	{64, 128, 1600},
}

// BenchmarkPacked multiplies with a constant B, packed before. best is the fastest run, tile the share that it is of the
// same tile's own peak, measured beside it, times the number of threads.
func BenchmarkPacked(b *testing.B) {
	for _, level := range cpu.Supported()[1:] {
		for _, s := range products {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%dx%dx%d/%d", level, s[0], s[1], s[2], threads), func(b *testing.B) {
					benchmarkPacked(b, For[float32](level), s[0], s[1], s[2], threads)
				})
			}
		}
	}
}

func benchmarkPacked(b *testing.B, t *Table[float32], m, n, k, threads int) {
	team := parallel.Acquire(threads)
	defer team.Release()
	oa, ob := operand[float32](b, 1, m, k, 0, false), operand[float32](b, 2, k, n, 0, false)
	packed := Operand[float32]{Data: align(make([]float32, PackedB(t, k, n)+alignment)), Packed: true}
	PackB(t, packed.Data, k, n, ob)
	c := make([]float32, m*n)
	bias := make([]float32, n)
	scratch := make([]float32, Scratch(t, threads, m, n, k, oa, packed))
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		Mul(t, team, m, n, k, oa, packed, c, n, Epilogue[float32]{Start: FromColBias, Bias: bias}, scratch)
		best = min(best, time.Since(start))
	}
	gflops := 2 * float64(m) * float64(n) * float64(k) / best.Seconds() / 1e9
	b.ReportMetric(gflops, "GFLOP/s")
	b.ReportMetric(100*gflops/float64(threads)/tilePeak(t), "%tile")
}

// BenchmarkRow multiplies one row with a constant B, packed before: sizes of a recurrent step, of a decoder and of classifiers.
// GB/s is at which the fastest run reads B, read the same of a plain loop over its bytes on one thread.
func BenchmarkRow(b *testing.B) {
	for _, level := range cpu.Supported()[1:] {
		for _, s := range [][2]int{{1024, 256}, {2304, 768}, {1000, 2048}, {4096, 4096}, {4096, 25088}} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%dx%d/%d", level, s[0], s[1], threads), func(b *testing.B) {
					benchmarkRow(b, For[float32](level), s[0], s[1], threads)
				})
			}
		}
	}
}

func benchmarkRow(b *testing.B, t *Table[float32], n, k, threads int) {
	team := parallel.Acquire(threads)
	defer team.Release()
	packed := Operand[float32]{Data: align(make([]float32, PackedB(t, k, n)+alignment)), Packed: true}
	a, c := Operand[float32]{Data: make([]float32, k), Stride: k}, make([]float32, n)
	for i := range packed.Data {
		packed.Data[i] = 1
	}
	all := unsafe.Slice((*byte)(unsafe.Pointer(&packed.Data[0])), 4*n*k)
	read := 2 * rate(n*k, func() { bytes.IndexByte(all, 0xff) })
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		Mul(t, team, 1, n, k, a, packed, c, n, Epilogue[float32]{}, nil)
		best = min(best, time.Since(start))
	}
	b.ReportMetric(4*float64(n)*float64(k)/best.Seconds()/1e9, "GB/s")
	b.ReportMetric(read, "read-GB/s")
}

// BenchmarkBatch multiplies the small matrices of twelve heads of attention: queries by transposed keys, and scores by values.
func BenchmarkBatch(b *testing.B) {
	const heads = 12
	for _, level := range cpu.Supported()[1:] {
		for _, s := range [][3]int{{128, 128, 64}, {128, 64, 128}, {197, 197, 64}, {197, 64, 197}, {128, 128, 32}} {
			for _, trans := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%dx%dx%d/transposed=%v", level, s[0], s[1], s[2], trans), func(b *testing.B) {
					benchmarkBatch(b, For[float32](level), heads, s[0], s[1], s[2], trans)
				})
			}
		}
	}
}

func benchmarkBatch(b *testing.B, t *Table[float32], heads, m, n, k int, trans bool) {
	x, y := operand[float32](b, 1, heads*m, k, 0, false), operand[float32](b, 2, heads*k, n, 0, false)
	if y.Trans = trans; trans {
		y.Stride = k
	}
	c := make([]float32, heads*m*n)
	batch := make([]Offsets, heads)
	for i := range batch {
		batch[i] = Offsets{A: i * m * k, B: i * k * n, C: i * m * n}
	}
	scratch := make([]float32, BatchScratch(t, 1, m, n, k, x, y))
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		MulBatch(t, nil, m, n, k, x, y, c, n, Epilogue[float32]{}, batch, scratch)
		best = min(best, time.Since(start))
	}
	gflops := 2 * float64(heads) * float64(m) * float64(n) * float64(k) / best.Seconds() / 1e9
	b.ReportMetric(gflops, "GFLOP/s")
	b.ReportMetric(100*gflops/tilePeak(t), "%tile")
}
