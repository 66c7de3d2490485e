package gemm

import "unsafe"

// PackedA returns the length of an m x k operand A in packed form.
func PackedA[T Float](t *Table[T], m, k int) int {
	t = orBest(t)
	return roundUp(m, t.Rows) * k
}

// PackedB returns the length of a k x n operand B in packed form.
func PackedB[T Float](t *Table[T], k, n int) int {
	t = orBest(t)
	return roundUp(n, t.Cols) * k
}

// PacksB reports whether a caller that multiplies by the same B again and
// again should pack it once. Only Trans and Packed of the operands count.
func PacksB[T Float](t *Table[T], m, n, k int, a, b Operand[T]) bool {
	if m <= 0 || n <= 0 || k <= 0 || b.Packed {
		return false
	}
	j := newJob(orBest(t), m, n, k, a, b)
	column := j.column
	free(j)
	return !column
}

// PackA writes A in packed form: panels of Rows rows, each step of a panel
// side by side. dst has PackedA elements, all of which are written.
func PackA[T Float](t *Table[T], dst []T, m, k int, a Operand[T]) {
	t = orBest(t)
	check(m >= 0 && k >= 0 && len(dst) >= PackedA(t, m, k), shortScratch)
	a.checkShape(m, k)
	for i := 0; i < m; i += t.Rows {
		packPanel(t, dst[i*k:], a.turned(), i, min(t.Rows, m-i), t.Rows, 0, k)
	}
}

// stepsAtOnce is how many rows of B all panels are packed from before the next
// ones: the pages of so many rows have their addresses at hand.
const stepsAtOnce = 64

// PackB writes B in packed form: panels of Cols columns, each step of a panel
// side by side. dst has PackedB elements, all of which are written.
func PackB[T Float](t *Table[T], dst []T, k, n int, b Operand[T]) {
	t = orBest(t)
	check(n >= 0 && k >= 0 && len(dst) >= PackedB(t, k, n), shortScratch)
	b.checkShape(k, n)
	if b.Trans {
		packSteps(t, dst, k, n, b, 0, k)
		return
	}
	for k0 := 0; k0 < k && n > 0; k0 += stepsAtOnce {
		part := b
		part.Data = b.Data[k0*b.Stride:]
		packSteps(t, dst, k, n, part, k0, min(stepsAtOnce, k-k0))
	}
}

// PackBRows writes the steps from k0 on of a k x n operand B, whose rows b
// holds, where PackB writes them. For all rows of B, in parts of any size, that
// is what PackB does. Where B is stored transposed, its parts are columns: from
// column j on, a multiple of Cols, they are packed by PackB to dst[j*k:].
func PackBRows[T Float](t *Table[T], dst []T, k, n int, b Operand[T], k0, rows int) {
	t = orBest(t)
	check(n >= 0 && k0 >= 0 && rows >= 0 && k0+rows <= k && !b.Trans, badSize)
	check(len(dst) >= PackedB(t, k, n), shortScratch)
	b.checkShape(rows, n)
	packSteps(t, dst, k, n, b, k0, rows)
}

// packSteps writes so many steps to all panels from step k0 on. b begins there.
func packSteps[T Float](t *Table[T], dst []T, k, n int, b Operand[T], k0, steps int) {
	for j := 0; j < n; j += t.Cols {
		packPanel(t, dst[j*k+k0*t.Cols:], b, j, min(t.Cols, n-j), t.Cols, 0, steps)
	}
}

// packPanel copies cols columns from column j and steps k0 to k0+k of x, an
// operand whose rows are steps, into steps of width elements. What is left of
// a step is zero.
func packPanel[T Float](t *Table[T], dst []T, x Operand[T], j, cols, width, k0, k int) {
	if k == 0 {
		return
	}
	if cols < width {
		clear(dst[:k*width])
	}
	if x.Trans {
		t.Transpose(dst, width, x.Data[j*x.Stride+k0:], x.Stride, cols, k)
		return
	}
	src := x.Data[k0*x.Stride+j:]
	for p := range k {
		copy(dst[p*width:][:cols], src[p*x.Stride:])
	}
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

func orBest[T Float](t *Table[T]) *Table[T] {
	if t == nil {
		return Best[T]()
	}
	return t
}

// align cuts the first elements off so that the rest starts on a cache line.
// Buffers that go through it are made alignment elements longer.
func align[T Float](s []T) []T {
	if len(s) < alignment {
		return s
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	return s[int(-at&63)/int(unsafe.Sizeof(s[0])):]
}

const alignment = 16
