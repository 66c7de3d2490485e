// Package gemm multiplies matrices of float32 and float64.
//
// Every element of a product is one chain of fused multiplications and
// additions in increasing k. So the bits of a result depend neither on the
// number of threads nor on blocking, packing or tier.
package gemm

import "github.com/gneiss-ml/gneiss/internal/parallel"

// An Operand is one factor of a product.
type Operand[T Float] struct {
	// Data is row-major. Rows and columns follow from the call.
	Data []T
	// Stride is the distance from one stored row to the next.
	Stride int
	// Trans says that the matrix is stored transposed.
	Trans bool
	// Packed says that Data is the work of PackA or PackB with the same table;
	// Stride and Trans do not count then.
	Packed bool
}

// turned returns the transposed matrix.
func (o Operand[T]) turned() Operand[T] {
	o.Trans = !o.Trans
	return o
}

// checkShape panics if the operand does not hold rows x cols elements.
func (o Operand[T]) checkShape(rows, cols int) {
	if o.Trans {
		rows, cols = cols, rows
	}
	if rows == 0 || cols == 0 {
		return
	}
	check(o.Stride >= cols || rows == 1, badStride)
	check(len(o.Data) >= (rows-1)*o.Stride+cols, shortOperand)
}

// An Epilogue says what a product does besides multiplying.
type Epilogue[T Float] struct {
	// Start is what each sum starts from; FromC adds the product to C.
	Start Start
	// Bias has m elements for FromRowBias, n for FromColBias.
	Bias []T
	// Residual is a matrix of the shape of C, ResidualStride from row to row,
	// that is added to the finished sums. It must not overlap C. Nil: none.
	Residual       []T
	ResidualStride int
	// ReLU replaces negative results by zero; NaN stays.
	ReLU bool
	// After, if not nil, changes results when they are finished, while they are
	// in a near cache: it is called once for each element of C, with runs of
	// neighbours of a row, on several threads at the same time. What it does to
	// an element must not depend on its neighbours.
	After func(c []T)
}

// What the entry points panic with when a caller of this module passes slices
// that do not fit.
const (
	shortOperand = "gemm: operand too short"
	shortResult  = "gemm: result too short"
	shortBias    = "gemm: bias too short"
	badResidual  = "gemm: residual too short"
	shortScratch = "gemm: scratch too short"
	badStride    = "gemm: stride less than a row"
	badSize      = "gemm: negative size"
)

func check(ok bool, message string) {
	if !ok {
		panic(message)
	}
}

// Tuning. None of it changes a result.
const (
	kBlock     = 384       // steps of a panel of B, which should stay in L1
	kBlockRows = 4096      // the same where A is read in place
	kBlockPack = 1024      // the same where B is packed on the way
	inPlace    = 8         // B is packed if more panels of A than this read it
	inPlaceB   = 16 << 10  // bytes of a panel of B that is never packed
	tilesEach  = 4         // tasks a thread should have
	chunkLeast = 4         // panels of A that share the packing of one of B
	shareA     = 512 << 10 // bytes of A that should stay in L2
	fewRows    = 8         // with fewer, the time goes by the size of B
	afterCols  = 4         // panels of B in a task with After
	afterBytes = 256 << 10 // bytes of C in a task with After
)

// Mul computes C = A·B for A of m x k, B of k x n and C of m x n elements with
// ldc from row to row, and what the epilogue adds. If k is 0 the result is
// what the sums start from. t nil is the table of this CPU; scratch has at
// least Scratch elements, or is nil to be allocated. C must not overlap the
// operands. Slices that are too short are a caller's bug and panic.
func Mul[T Float](t *Table[T], team *parallel.Team, m, n, k int, a, b Operand[T], c []T, ldc int, e Epilogue[T], scratch []T) {
	check(m >= 0 && n >= 0 && k >= 0, badSize)
	if m == 0 || n == 0 {
		return
	}
	j := newJob(orBest(t), m, n, k, a, b)
	j.checkArguments(c, ldc, e)
	late := (!j.rows || j.column) && (e.Residual != nil || e.After != nil)
	j.c, j.ldc, j.e = c, ldc, e
	if late {
		j.e.Residual, j.e.After, j.e.ReLU = nil, nil, e.ReLU && e.Residual == nil
	}
	if work(max(m, fewRows), n, k) < j.t.Worth {
		team = nil
	}
	j.run(team, scratch)
	if late {
		e.finish(m, n, c, ldc)
	}
	free(j)
}

// work counts multiplications; saturating is not needed, since the operands
// are in memory.
func work(m, n, k int) int64 { return int64(m) * int64(n) * int64(k) }

// finish does to C what comes behind the sums, for kernels that do not know it.
func (e *Epilogue[T]) finish(m, n int, c []T, ldc int) {
	if e.Residual != nil {
		plus(c, ldc, m, n, e.Residual, e.ResidualStride)
		end(c, ldc, m, n, e.ReLU)
	}
	if e.After != nil {
		after(m, n, c, ldc, e.After)
	}
}

// after calls f for all elements of C.
func after[T Float](m, n int, c []T, ldc int, f func(c []T)) {
	if ldc == n {
		f(c[:m*n])
		return
	}
	for i := range m {
		f(c[i*ldc:][:n])
	}
}

// Scratch returns how many elements Mul needs as scratch on a team of that
// many threads. Only Trans, Stride and Packed of the operands count.
func Scratch[T Float](t *Table[T], threads, m, n, k int, a, b Operand[T]) int {
	if m <= 0 || n <= 0 || k < 0 {
		return 0
	}
	j := newJob(orBest(t), m, n, k, a, b)
	size := j.scratch(threads)
	free(j)
	return size
}

// A job is one product on its way. Jobs are kept for the next call.
type job[T Float] struct {
	t       *Table[T]
	m, n, k int
	a, b    Operand[T]
	c       []T
	ldc     int
	e       Epilogue[T]

	column bool // n is 1: computes the transposed product, a row
	wide   bool // one row with B in place: panels of WideCols columns
	rows   bool // the rows of A are read where they are
	thin   bool // one row with B packed
	width  int  // columns of a panel of B
	packA  bool
	packB  bool // whole panels of B; the last, if narrow, is packed always

	panelsA, panelsB int
	chunk, chunks    int  // panels of A in a task, tasks per panel of B
	group, groups    int  // rows: panels of B in a task, tasks per chunk
	byChunk          bool // rows: tasks with the same rows follow each other
	kMax             int  // steps in a block

	// The block at hand.
	k0, kLen   int
	packing    bool
	bufA, bufB []T
}

var (
	jobs32 parallel.FreeList[job[float32]]
	jobs64 parallel.FreeList[job[float64]]
)

func jobs[T Float]() *parallel.FreeList[job[T]] {
	if l, ok := any(&jobs32).(*parallel.FreeList[job[T]]); ok {
		return l
	}
	return any(&jobs64).(*parallel.FreeList[job[T]])
}

func free[T Float](j *job[T]) { jobs[T]().Give(j) }

func newJob[T Float](t *Table[T], m, n, k int, a, b Operand[T]) *job[T] {
	j := jobs[T]().Take()
	j.t, j.m, j.n, j.k, j.a, j.b = t, m, n, k, a, b
	if n == 1 && m > 1 && !a.Packed && !b.Packed {
		j.column = true
		j.m, j.n, j.a, j.b = 1, m, b.turned(), a.turned()
	}
	j.plan()
	return j
}

// plan decides what is packed and how the product is cut, from sizes alone.
func (j *job[T]) plan() {
	j.panelsA = (j.m + j.t.Rows - 1) / j.t.Rows
	j.wide = j.m == 1 && !j.b.Packed && !j.b.Trans
	j.width = j.t.Cols
	if j.wide {
		j.width = j.t.WideCols
	}
	j.panelsB = (j.n + j.width - 1) / j.width
	if !j.wide && !j.a.Packed && !j.a.Trans {
		j.planRows()
		return
	}
	// The rows of a step lie side by side in a transposed A; a single row
	// needs no neighbours.
	j.packA = !j.a.Packed && j.m > 1 && (!j.a.Trans || j.panelsB > inPlace)
	j.packB = !j.b.Packed && (j.b.Trans || j.panelsA > inPlace)
	j.cutK(kBlock)
}

// cutK makes blocks of at most that many steps, all about the same.
func (j *job[T]) cutK(most int) {
	blocks := max((j.k+most-1)/most, 1)
	j.kMax = (j.k + blocks - 1) / blocks
}

func (j *job[T]) checkArguments(c []T, ldc int, e Epilogue[T]) {
	if j.column {
		check(len(c) >= (j.n-1)*ldc+1 && ldc >= 1, shortResult)
	} else {
		check(ldc >= j.n || j.m == 1, badStride)
		check(len(c) >= (j.m-1)*ldc+j.n, shortResult)
	}
	rows, cols := j.m, j.n
	if j.column {
		rows, cols = cols, rows
	}
	check(e.Start != FromRowBias || len(e.Bias) >= rows, shortBias)
	check(e.Start != FromColBias || len(e.Bias) >= cols, shortBias)
	if e.Residual != nil {
		check(e.ResidualStride >= cols || rows == 1, badResidual)
		check(len(e.Residual) >= (rows-1)*e.ResidualStride+cols, badResidual)
	}
	if j.a.Packed {
		check(len(j.a.Data) >= j.panelsA*j.t.Rows*j.k, shortOperand)
	} else {
		j.a.checkShape(j.m, j.k)
	}
	if j.b.Packed {
		check(len(j.b.Data) >= j.panelsB*j.width*j.k, shortOperand)
	} else {
		j.b.checkShape(j.k, j.n)
	}
}

func (j *job[T]) scratch(threads int) int {
	n := j.bufferA() + max(threads, 1)*j.bufferB() + alignment
	if j.column {
		n += j.n
	}
	return n
}

func (j *job[T]) bufferA() int {
	if !j.packA {
		return 0
	}
	return roundUp(j.panelsA*j.t.Rows*j.kMax, alignment)
}

// bufferB is the length of one panel.
func (j *job[T]) bufferB() int {
	if j.b.Packed {
		return 0
	}
	return roundUp(j.t.Cols*j.kMax, alignment)
}

func (j *job[T]) run(team *parallel.Team, scratch []T) {
	threads := team.Threads()
	need := j.scratch(threads)
	if scratch == nil {
		scratch = make([]T, need)
	}
	check(len(scratch) >= need, shortScratch)
	scratch = align(scratch)
	if j.column {
		j.runColumn(team, scratch)
		return
	}
	j.multiply(team, scratch)
}

func (j *job[T]) multiply(team *parallel.Team, scratch []T) {
	if j.rows {
		j.runRows(team, scratch)
		return
	}
	j.blocks(team, scratch)
}

// runColumn computes a column of C as a row, which lies side by side.
func (j *job[T]) runColumn(team *parallel.Team, scratch []T) {
	switch j.e.Start {
	case FromRowBias:
		j.e.Start = FromColBias
	case FromColBias:
		j.e.Start = FromRowBias
	}
	if j.ldc == 1 {
		j.multiply(team, scratch)
		return
	}
	c, ldc := j.c, j.ldc
	j.c, j.ldc = scratch[:j.n], j.n
	if j.e.Start == FromC {
		for i := range j.c {
			j.c[i] = c[i*ldc]
		}
	}
	j.multiply(team, scratch[j.n:])
	for i, v := range j.c {
		c[i*ldc] = v
	}
}

// blocks runs the blocks of k in order: first A is packed, then the tasks of
// the block, each on a panel of B that it packs for itself.
func (j *job[T]) blocks(team *parallel.Team, scratch []T) {
	j.bufA = scratch[:j.bufferA()]
	j.bufB = scratch[j.bufferA():]
	j.cut(team.Threads())
	for j.k0 = 0; ; j.k0 += j.kLen {
		j.kLen = min(j.kMax, j.k-j.k0)
		if j.packA && j.kLen > 0 {
			j.packing = true
			team.DoWorkers(j.panelsA, j)
			j.packing = false
		}
		team.DoWorkers(j.panelsB*j.chunks, j)
		if j.k0+j.kLen >= j.k || team.Stopped() {
			return
		}
	}
}

// cut decides how many tasks share a panel of B.
func (j *job[T]) cut(threads int) {
	j.chunks = 1
	if want := threads * tilesEach; threads > 1 && j.panelsB < want {
		j.chunks = min((want+j.panelsB-1)/j.panelsB, max(j.panelsA/chunkLeast, 1))
	}
	j.chunk = (j.panelsA + j.chunks - 1) / j.chunks
}

// Tile runs one task: it packs a panel of A, or computes the tiles of a panel
// of B with a chunk of the panels of A.
func (j *job[T]) Tile(worker, i int) {
	t := j.t
	if j.rows {
		j.rowsTask(worker, i)
		return
	}
	if j.packing {
		at := i * t.Rows
		packPanel(t, j.bufA[at*j.kLen:], j.a.turned(), at, min(t.Rows, j.m-at), t.Rows, j.k0, j.kLen)
		return
	}
	if j.wide {
		j.row(worker, i*j.width)
		return
	}
	j0 := i / j.chunks * t.Cols
	cols := min(t.Cols, j.n-j0)
	first := i % j.chunks * j.chunk
	b, bStep := j.panelB(worker, j0, cols)
	for p := first; p < min(first+j.chunk, j.panelsA); p++ {
		j.tile(t.Tile, p*t.Rows, j0, cols, b, bStep)
	}
}

// row computes the columns from j0 of a product with one row.
func (j *job[T]) row(worker, j0 int) {
	t := j.t
	if j.n-j0 >= t.WideCols {
		var b []T
		if j.kLen > 0 {
			b = j.b.Data[j.k0*j.b.Stride+j0:]
		}
		j.tile(t.Wide, 0, j0, t.WideCols, b, j.b.Stride)
		return
	}
	for ; j0 < j.n; j0 += t.Cols {
		cols := min(t.Cols, j.n-j0)
		b, bStep := j.panelB(worker, j0, cols)
		j.tile(t.Tile, 0, j0, cols, b, bStep)
	}
}

// panelB returns the panel of B at column j0 and the distance of its steps.
func (j *job[T]) panelB(worker, j0, cols int) ([]T, int) {
	return j.steps(worker, j0, cols, j.k0, j.kLen)
}

// steps returns kLen steps from k0 on of the panel of B at column j0, and the
// distance of the steps.
func (j *job[T]) steps(worker, j0, cols, k0, kLen int) ([]T, int) {
	t := j.t
	if kLen == 0 {
		return nil, 0
	}
	if j.b.Packed {
		return j.b.Data[j0*j.k+k0*t.Cols:], t.Cols
	}
	if !j.packB && cols == t.Cols {
		return j.b.Data[k0*j.b.Stride+j0:], j.b.Stride
	}
	buf := j.bufB[worker*j.bufferB():][:t.Cols*kLen]
	packPanel(t, buf, j.b, j0, cols, t.Cols, k0, kLen)
	return buf, t.Cols
}

// panelA returns the panel of A at row i0 and the distance of its steps.
func (j *job[T]) panelA(i0 int) ([]T, int) {
	t := j.t
	switch {
	case j.kLen == 0:
		return nil, 0
	case j.a.Packed:
		return j.a.Data[i0*j.k+j.k0*t.Rows:], t.Rows
	case j.packA:
		return j.bufA[i0*j.kLen:], t.Rows
	case j.a.Trans:
		return j.a.Data[j.k0*j.a.Stride+i0:], j.a.Stride
	}
	return j.a.Data[j.k0:], 1 // one row
}

// tile runs one micro-kernel.
func (j *job[T]) tile(micro Tile[T], i0, j0, cols int, b []T, bStep int) {
	a, aStep := j.panelA(i0)
	start, bias := j.e.Start, j.e.Bias
	switch {
	case j.k0 > 0:
		start = FromC
	case start == FromRowBias:
		bias = bias[i0:]
	case start == FromColBias:
		bias = bias[j0:]
	}
	relu := j.e.ReLU && j.k0+j.kLen == j.k
	rows := min(j.t.Rows, j.m-i0)
	micro(rows, j.kLen, a, aStep, b, bStep, j.c[i0*j.ldc+j0:], j.ldc, cols, start, bias, relu)
}
