package gemm

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// at returns element (i, j) of an operand.
func at[T Float](o Operand[T], i, j int) float64 {
	if o.Trans {
		i, j = j, i
	}
	return float64(o.Data[i*o.Stride+j])
}

// naive is the definition in float64.
func naive[T Float](m, n, k int, a, b Operand[T], c []T, ldc int, e Epilogue[T]) []float64 {
	out := make([]float64, m*n)
	for i := range m {
		for j := range n {
			sum := 0.0
			switch e.Start {
			case FromC:
				sum = float64(c[i*ldc+j])
			case FromRowBias:
				sum = float64(e.Bias[i])
			case FromColBias:
				sum = float64(e.Bias[j])
			}
			if e.Residual != nil {
				sum += float64(e.Residual[i*e.ResidualStride+j])
			}
			for p := range k {
				sum += at(a, i, p) * at(b, p, j)
			}
			if e.ReLU && sum < 0 {
				sum = 0
			}
			out[i*n+j] = sum
		}
	}
	if e.After != nil {
		narrow := make([]T, len(out))
		for i, v := range out {
			narrow[i] = T(v)
		}
		e.After(narrow)
		for i, v := range narrow {
			out[i] = float64(v)
		}
	}
	return out
}

// operand makes a guarded matrix of rows x cols elements.
func operand[T Float](t testing.TB, seed uint64, rows, cols, pad int, trans bool) Operand[T] {
	if trans {
		rows, cols = cols, rows
	}
	n := 0
	if rows > 0 && cols > 0 {
		n = (rows-1)*(cols+pad) + cols
	}
	data := kerneltest.Fill(kerneltest.Rand(seed), kerneltest.Guarded[T](t, n))
	return Operand[T]{Data: data, Stride: cols + pad, Trans: trans}
}

// rowsOf cuts the m x n elements out of C.
func rowsOf[T Float](c []T, m, n, ldc int) []T {
	out := make([]T, 0, m*n)
	for i := 0; i < m && n > 0; i++ {
		out = append(out, c[i*ldc:][:n]...)
	}
	return out
}

// product is one case: sizes, form and epilogue.
type product struct {
	m, n, k        int
	transA, transB bool
	packA, packB   bool
	pad            int
	start          Start
	relu           bool
	residual       bool
	after          bool
	bitsOnly       bool // the caller compares the bits with a result that was checked
}

func (p product) String() string {
	type fields product
	return fmt.Sprintf("%+v", fields(p))
}

// run multiplies with one table and compares with the definition.
func run[T Float](t testing.TB, table *Table[T], team *parallel.Team, p product) []T {
	t.Helper()
	a := operand[T](t, 1, p.m, p.k, p.pad, p.transA)
	b := operand[T](t, 2, p.k, p.n, p.pad, p.transB)
	ldc := p.n + p.pad
	size := 0
	if p.m > 0 && p.n > 0 {
		size = (p.m-1)*ldc + p.n
	}
	r := kerneltest.Rand(3)
	c := kerneltest.Fill(r, kerneltest.Guarded[T](t, size))
	e := Epilogue[T]{Start: p.start, ReLU: p.relu}
	switch p.start {
	case FromRowBias:
		e.Bias = kerneltest.Fill(r, kerneltest.Guarded[T](t, p.m))
	case FromColBias:
		e.Bias = kerneltest.Fill(r, kerneltest.Guarded[T](t, p.n))
	}
	if p.residual {
		e.ResidualStride = p.n + 1
		e.Residual = kerneltest.Fill(r, kerneltest.Guarded[T](t, max(p.m*(p.n+1)-1, 0)))
	}
	if p.after {
		e.After = func(c []T) {
			for i := range c {
				c[i] = 1 - c[i]/2
			}
		}
	}
	var want []float64
	if !p.bitsOnly {
		want = naive(p.m, p.n, p.k, a, b, c, ldc, e)
	}
	if p.packA {
		packed := make([]T, PackedA(table, p.m, p.k))
		PackA(table, packed, p.m, p.k, a)
		a = Operand[T]{Data: packed, Packed: true}
	}
	if p.packB {
		packed := make([]T, PackedB(table, p.k, p.n))
		PackB(table, packed, p.k, p.n, b)
		b = Operand[T]{Data: packed, Packed: true}
	}
	scratch := kerneltest.Guarded[T](t, Scratch(table, team.Threads(), p.m, p.n, p.k, a, b))
	Mul(table, team, p.m, p.n, p.k, a, b, c, ldc, e, scratch)
	got := rowsOf(c, p.m, p.n, ldc)
	worst, i := kerneltest.Worst(got, want, p.k)
	require.LessOrEqual(t, worst, 1.0, "%s %s at %d", table.Level, p, i)
	return got
}

// runAll runs a case on every tier and compares the bits.
func runAll[T Float](t testing.TB, team *parallel.Team, p product) {
	t.Helper()
	first := run(t, For[T](cpu.Generic), team, p)
	p.bitsOnly = true
	for _, level := range cpu.Supported()[1:] {
		got := run(t, For[T](level), team, p)
		require.Equal(t, -1, kerneltest.Same(first, got), "%s against generic, %s", level, p)
	}
}

func TestMul(t *testing.T) {
	t.Run("float32", testMul[float32])
	t.Run("float64", testMul[float64])
}

func testMul[T Float](t *testing.T) {
	for _, sizes := range [][3]int{
		{0, 3, 2},
		{3, 0, 2},
		{3, 4, 0},
		{1, 1, 0},
		{1, 1, 1},
		{2, 3, 4},
		{1, 300, 17},
		{1, 129, 5},
		{1, 128, 9},
		{14, 32, 8},
		{15, 33, 9},
		{13, 31, 7},
		{28, 64, 40},
		{6, 16, 5},
		{7, 17, 385},
		{40, 40, 40},
		{33, 1, 12},
		{150, 1, 33},
		{130, 35, 50},
		{9, 70, 800},
		{1, 300, 1100},
		{2, 40, 4100},
		{3, 10, 1000},
	} {
		for form := range 32 {
			p := product{
				m: sizes[0], n: sizes[1], k: sizes[2],
				transA: form&1 != 0, transB: form&2 != 0, packA: form&4 != 0, packB: form&8 != 0,
				pad: form >> 4 * 3, start: Start((form + form/4) % 4), relu: form%3 == 0,
				residual: form%5 > 1, after: form%7 > 3,
			}
			runAll[T](t, nil, p)
		}
	}
}

// TestMul_everySize goes through all small sizes.
func TestMul_everySize(t *testing.T) {
	const most = 40
	for _, level := range cpu.Supported() {
		table := For[float32](level)
		a := kerneltest.Fill(kerneltest.Rand(1), make([]float32, most*most))
		b := kerneltest.Fill(kerneltest.Rand(2), make([]float32, most*most))
		for m := range most + 1 {
			for n := range most + 1 {
				k := (m*7 + n*3) % (most + 1)
				oa, ob := Operand[float32]{Data: a, Stride: k}, Operand[float32]{Data: b, Stride: n}
				c := make([]float32, m*n+1)
				c[m*n] = 42
				e := Epilogue[float32]{Start: FromZero}
				want := naive(m, n, k, oa, ob, c, n, e)
				Mul(table, nil, m, n, k, oa, ob, c[:m*n], n, e, nil)
				worst, i := kerneltest.Worst(c, want, k)
				require.LessOrEqual(t, worst, 1.0, "%s %d,%d,%d at %d", level, m, n, k, i)
				require.EqualValues(t, 42, c[m*n])
			}
		}
	}
}

// TestMul_sameBits: equal bits for every number of threads, form and tier,
// and a row alone equals the row among others.
func TestMul_sameBits(t *testing.T) {
	for _, sizes := range [][3]int{{64, 121, 288}, {150, 70, 900}, {260, 40, 900}, {1, 700, 1200}, {300, 5, 500}} {
		p := product{m: sizes[0], n: sizes[1], k: sizes[2], start: FromColBias, residual: true, after: true}
		want := run(t, For[float32](cpu.Generic), nil, p)
		p.bitsOnly = true
		for _, level := range cpu.Supported() {
			for _, threads := range kerneltest.Threads {
				team := parallel.Acquire(threads)
				for form := range 4 {
					p.packA, p.packB = form&1 != 0, form&2 != 0
					got := run(t, For[float32](level), team, p)
					require.Equal(t, -1, kerneltest.Same(want, got), "%s, %d threads, %s", level, threads, p)
				}
				team.Release()
			}
		}
	}
}

func TestMul_rowAlone(t *testing.T) {
	const m, n, k = 20, 50, 700
	a, b := operand[float32](t, 1, m, k, 0, false), operand[float32](t, 2, k, n, 0, false)
	all, one := make([]float32, m*n), make([]float32, n)
	Mul(nil, nil, m, n, k, a, b, all, n, Epilogue[float32]{}, nil)
	for i := range m {
		row := Operand[float32]{Data: a.Data[i*k:], Stride: k}
		Mul(nil, nil, 1, n, k, row, b, one, n, Epilogue[float32]{}, nil)
		require.Equal(t, -1, kerneltest.Same(all[i*n:][:n], one))
	}
}

// TestMul_hostile: NaN, infinities and subnormals come out alike on all tiers.
func TestMul_hostile(t *testing.T) {
	const m, n, k = 17, 37, 6
	for seed := range uint64(40) {
		r := kerneltest.Rand(seed)
		a := Operand[float32]{Data: kerneltest.Hostile(r, make([]float32, m*k)), Stride: k}
		b := Operand[float32]{Data: kerneltest.Hostile(r, make([]float32, k*n)), Stride: n}
		e := Epilogue[float32]{Start: FromColBias, Bias: kerneltest.Hostile(r, make([]float32, n)), ReLU: seed%2 == 0}
		var want []float32
		for _, level := range cpu.Supported() {
			c := make([]float32, m*n)
			Mul(For[float32](level), nil, m, n, k, a, b, c, n, e, nil)
			if want == nil {
				want = c
			}
			require.Equal(t, -1, kerneltest.Same(want, c), "%s seed %d", level, seed)
		}
	}
}

func TestMul_badArguments(t *testing.T) {
	a, b := operand[float32](t, 1, 3, 4, 0, false), operand[float32](t, 2, 4, 5, 0, false)
	c := make([]float32, 15)
	mul := func(m, n, k int, c []float32, ldc int, e Epilogue[float32], scratch []float32) func() {
		return func() { Mul(nil, nil, m, n, k, a, b, c, ldc, e, scratch) }
	}
	none := Epilogue[float32]{}
	require.PanicsWithValue(t, shortResult, mul(3, 5, 4, c[:14], 5, none, nil))
	require.PanicsWithValue(t, badStride, mul(3, 5, 4, c, 4, none, nil))
	require.PanicsWithValue(t, badStride, mul(3, 5, 5, c, 5, none, nil))
	require.PanicsWithValue(t, shortOperand, mul(4, 5, 4, make([]float32, 20), 5, none, nil))
	require.PanicsWithValue(t, badSize, mul(-1, 5, 4, c, 5, none, nil))
	require.PanicsWithValue(t, shortBias, mul(3, 5, 4, c, 5, Epilogue[float32]{Start: FromRowBias}, nil))
	require.PanicsWithValue(t, shortBias, mul(3, 5, 4, c, 5, Epilogue[float32]{Start: FromColBias}, nil))
	require.PanicsWithValue(t, shortScratch, mul(3, 5, 4, c, 5, none, []float32{}))
	residual := Epilogue[float32]{Residual: make([]float32, 14), ResidualStride: 5}
	require.PanicsWithValue(t, badResidual, mul(3, 5, 4, c, 5, residual, nil))
	mul(3, 5, 4, c, 5, none, nil)()
}

func TestMul_noAllocations(t *testing.T) {
	team := parallel.Acquire(2)
	defer team.Release()
	const m, n, k = 100, 130, 500
	a, b := operand[float32](t, 1, m, k, 0, false), operand[float32](t, 2, k, n, 0, false)
	c := make([]float32, m*n)
	scratch := make([]float32, Scratch(nil, team.Threads(), m, n, k, a, b))
	after := func([]float32) {}
	for _, rows := range []int{1, m} {
		mul := func() { Mul(nil, team, rows, n, k, a, b, c, n, Epilogue[float32]{After: after}, scratch) }
		require.Zero(t, testing.AllocsPerRun(20, mul))
	}
}

func TestMulBatch(t *testing.T) {
	const m, n, k, count = 5, 37, 20, 6
	r := kerneltest.Rand(1)
	a := Operand[float32]{Data: kerneltest.Fill(r, make([]float32, 2*m*k)), Stride: k}
	b := Operand[float32]{Data: kerneltest.Fill(r, make([]float32, 3*n*k)), Stride: k, Trans: true}
	batch := make([]Offsets, count)
	for i := range batch {
		batch[i] = Offsets{A: i % 2 * m * k, B: i / 2 * n * k, C: i * m * n}
	}
	want, got := make([]float32, count*m*n), make([]float32, count*m*n)
	for _, o := range batch {
		oa, ob := a, b
		oa.Data, ob.Data = a.Data[o.A:], b.Data[o.B:]
		Mul(nil, nil, m, n, k, oa, ob, want[o.C:], n, Epilogue[float32]{}, nil)
	}
	table := *Best[float32]()
	for _, worth := range []int64{0, 1 << 62} {
		table.Worth = worth
		for _, threads := range []int{1, 2, 3, 7, 16} {
			team := parallel.Acquire(threads)
			scratch := kerneltest.Guarded[float32](t, BatchScratch(&table, team.Threads(), m, n, k, a, b))
			clear(got)
			MulBatch(&table, team, m, n, k, a, b, got, n, Epilogue[float32]{}, batch, scratch)
			require.Equal(t, want, got)
			require.Zero(t, testing.AllocsPerRun(5, func() {
				MulBatch(&table, team, m, n, k, a, b, got, n, Epilogue[float32]{}, batch, scratch)
			}))
			team.Release()
		}
	}
	MulBatch(nil, nil, m, n, 0, a, b, got, n, Epilogue[float32]{}, batch, nil)
	require.Equal(t, make([]float32, count*m*n), got)
}

// FuzzMul drives all tables with the same bytes.
func FuzzMul(f *testing.F) {
	f.Add([]byte{3, 4, 5, 0, 1, 2, 3})
	f.Add([]byte{14, 32, 2, 255, 0x7f, 0xc0, 0, 0, 0x80, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 5 {
			return
		}
		m, n, k, form := int(data[0])%40, int(data[1])%70, int(data[2])%50, data[3]
		data = data[4:]
		next := 0
		fill := func(s []float32) []float32 {
			for i := range s {
				var bits uint32
				for range 4 {
					bits = bits<<8 | uint32(data[next%len(data)]^byte(next/len(data)*37))
					next++
				}
				s[i] = math.Float32frombits(bits)
			}
			return s
		}
		a := Operand[float32]{Data: fill(make([]float32, m*k)), Stride: k, Trans: form&1 != 0}
		b := Operand[float32]{Data: fill(make([]float32, k*n)), Stride: n, Trans: form&2 != 0}
		if a.Trans {
			a.Stride = m
		}
		if b.Trans {
			b.Stride = k
		}
		e := Epilogue[float32]{Start: Start(form >> 2 & 3), Bias: fill(make([]float32, max(m, n))), ReLU: form&16 != 0}
		first := fill(make([]float32, m*n))
		var want []float32
		for _, level := range cpu.Supported() {
			c := append([]float32(nil), first...)
			Mul(For[float32](level), nil, m, n, k, a, b, c, n, e, nil)
			if want == nil {
				want = c
			}
			require.Equal(t, -1, kerneltest.Same(want, c), "%s", level)
		}
	})
}

func TestTranspose(t *testing.T) {
	for _, level := range cpu.Supported() {
		table := For[float32](level)
		for rows := range 36 {
			for cols := range 36 {
				src := kerneltest.Fill(kerneltest.Rand(1), kerneltest.Guarded[float32](t, max(rows*(cols+2)-2, 0)))
				dst := kerneltest.Guarded[float32](t, max(cols*(rows+3)-3, 0))
				table.Transpose(dst, rows+3, src, cols+2, rows, cols)
				for r := range rows {
					for c := range cols {
						require.Equal(t, src[r*(cols+2)+c], dst[c*(rows+3)+r])
					}
				}
			}
		}
	}
}

// TestPackB: every element goes to its panel, whether B is packed at once or in
// parts, rows of it or, stored transposed, columns.
func TestPackB(t *testing.T) {
	for _, level := range cpu.Supported() {
		table := For[float32](level)
		for _, n := range []int{0, 1, table.Cols - 1, table.Cols, 3*table.Cols + 5} {
			for _, k := range []int{0, 1, 7, 64, 150} {
				src := kerneltest.Fill(kerneltest.Rand(1), kerneltest.Guarded[float32](t, k*n))
				want := make([]float32, PackedB(table, k, n))
				for i := range n {
					for p := range k {
						want[i/table.Cols*table.Cols*k+p*table.Cols+i%table.Cols] = src[p*n+i]
					}
				}
				packed := func(pack func(dst []float32)) {
					dst := kerneltest.Guarded[float32](t, len(want))
					for i := range dst {
						dst[i] = -1
					}
					pack(dst)
					require.Equal(t, want, append([]float32{}, dst...), "%v: %d x %d", level, k, n)
				}
				packed(func(dst []float32) { PackB(table, dst, k, n, Operand[float32]{Data: src, Stride: n}) })
				packed(func(dst []float32) {
					for k0 := 0; k0 < k; k0 += 65 {
						rows := min(65, k-k0)
						PackBRows(table, dst, k, n, Operand[float32]{Data: src[k0*n:][:rows*n], Stride: n}, k0, rows)
					}
				})
				turned := make([]float32, k*n)
				table.Transpose(turned, k, src, n, k, n)
				packed(func(dst []float32) { PackB(table, dst, k, n, Operand[float32]{Data: turned, Stride: k, Trans: true}) })
				packed(func(dst []float32) {
					for j := 0; j < n; j += table.Cols {
						cols := min(table.Cols, n-j)
						PackB(table, dst[j*k:], k, cols, Operand[float32]{Data: turned[j*k:][:cols*k], Stride: k, Trans: true})
					}
				})
			}
		}
	}
}

// TestFMA32 compares with a chain in arbitrary precision at places where
// rounding twice is wrong.
func TestFMA32(t *testing.T) {
	r := kerneltest.Rand(5)
	for range 50_000 {
		x := kerneltest.Fill(r, make([]float32, 3))
		x[2] = float32(math.Ldexp(float64(x[2]), r.IntN(100)-50))
		require.Equal(t, exactFMA(x[0], x[1], x[2]), FMA32(x[0], x[1], x[2]), "%v", x)
		small := [3]float32{x[0] * 1e-20, x[1] * 1e-22, x[2] * 1e-38}
		require.Equal(t, exactFMA(small[0], small[1], small[2]), FMA32(small[0], small[1], small[2]), "%v", small)
	}
	// 1 + 2^-24 is the middle of two float32; what the product adds decides.
	for _, tiny := range []float32{1e-30, -1e-30, 0} {
		got := FMA32(tiny, 1, 0)
		require.Equal(t, tiny, got)
		half := float32(1 + 1.0/(1<<23))
		require.Equal(t, exactFMA(half, 1.0/(1<<24), 1), FMA32(half, 1.0/(1<<24), 1))
	}
}

func BenchmarkGemm(b *testing.B) {
	for _, level := range cpu.Supported() {
		for _, s := range [][3]int{{256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {64, 121, 288}, {64, 3136, 576}, {512, 49, 4608}, {1, 1000, 2048}, {64, 128, 1600}} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%dx%dx%d/%d", level, s[0], s[1], s[2], threads), func(b *testing.B) {
					benchmark(b, For[float32](level), s[0], s[1], s[2], threads)
				})
			}
		}
	}
}

func benchmark(b *testing.B, t *Table[float32], m, n, k, threads int) {
	team := parallel.Acquire(threads)
	defer team.Release()
	oa, ob := operand[float32](b, 1, m, k, 0, false), operand[float32](b, 2, k, n, 0, false)
	c := make([]float32, m*n)
	scratch := make([]float32, Scratch(t, threads, m, n, k, oa, ob))
	for b.Loop() {
		Mul(t, team, m, n, k, oa, ob, c, n, Epilogue[float32]{}, scratch)
	}
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
