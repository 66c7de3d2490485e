package gemm

import (
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// planRows decides for products that read the rows of A where they are. The
// rows are shared out evenly among as few tiles as cover them.
func (j *job[T]) planRows() {
	j.rows = true
	j.thin = j.m == 1 && j.k > 0 && j.b.Packed
	j.packB = !j.b.Packed && (j.b.Trans || j.panelsA > inPlace && !j.near())
	switch {
	case j.thin || !j.b.Packed:
		j.cutK(kBlockPack)
	default:
		j.cutK(kBlockRows)
	}
}

// near reports whether a panel of B fits into the first cache as it is: it is
// short, and its steps do not fall on each other.
func (j *job[T]) near() bool {
	size := int(unsafe.Sizeof(*new(T)))
	return j.k*j.t.Cols*size <= inPlaceB && j.b.Stride%(1024/size) != 0
}

func (j *job[T]) runRows(team *parallel.Team, scratch []T) {
	j.bufB = scratch
	j.cutRows(team.Threads())
	team.DoWorkers(j.groups*j.chunks, j)
}

// cutRows decides what a task is: some panels of B with a chunk of the rows.
func (j *job[T]) cutRows(threads int) {
	total := int64(j.panelsA) * int64(j.panelsB)
	want := int64(threads) * tilesEach
	most := max(j.t.Worth/4/work(j.t.Rows, j.t.Cols, max(j.k, 1)), 1) // tiles of a task
	j.group, j.chunk = 1, min(j.panelsA, j.fit())
	j.byChunk = j.chunk < j.panelsA && (threads == 1 || parts(j.panelsA, j.chunk) >= 2*threads)
	switch {
	case j.thin:
		j.group = 4 * int(max(min(int64(parts(j.panelsB, 4))/want, j.t.Worth/16/work(1, 4*j.t.Cols, j.k)), 1))
	case j.packB:
		if int64(j.panelsB) < want && threads > 1 {
			j.chunk = min(j.chunk, max(parts(j.panelsA, parts(int(want), j.panelsB)), chunkLeast))
		}
	case j.byChunk && int64(parts(j.panelsA, j.chunk))*int64(j.panelsB) >= want:
		// Smaller chunks would read all of B more often.
	case threads > 1:
		most = max(min(most, total/want), 1)
		j.chunk = int(min(int64(j.chunk), most))
		j.group = int(min(most/int64(j.chunk), int64(j.panelsB)))
	}
	if j.e.After != nil && !j.packB && j.group < afterCols {
		j.group = min(afterCols, j.panelsB)
		near := afterBytes / int(unsafe.Sizeof(*new(T))) / (j.group * j.t.Cols * j.t.Rows)
		if threads > 1 && !j.byChunk {
			near = min(near, int(most)/j.group)
		}
		j.chunk = max(min(j.chunk, near), 1)
	}
	j.chunks, j.groups = parts(j.panelsA, j.chunk), parts(j.panelsB, j.group)
}

// fit is how many panels of A stay in the second cache.
func (j *job[T]) fit() int {
	size := int(unsafe.Sizeof(*new(T)))
	return max(shareA/size/max(j.k, 1)/j.t.Rows, chunkLeast)
}

// parts is how many parts of at most that size n has.
func parts(n, size int) int { return (n + size - 1) / size }

// share is where part i of n begins if they are all about the same.
func share(n, parts, i int) int { return i*(n/parts) + min(i, n%parts) }

// rowsTask computes the tiles of one task.
func (j *job[T]) rowsTask(worker, i int) {
	g, c := i/j.chunks, i%j.chunks
	if j.byChunk {
		g, c = i%j.groups, i/j.groups
	}
	lo, hi := share(j.panelsA, j.chunks, c), share(j.panelsA, j.chunks, c+1)
	first, last := g*j.group, min((g+1)*j.group, j.panelsB)
	for p := first; p < last; p++ {
		if j.thin && p+4 <= last && (p+4)*j.t.Cols <= j.n {
			j.thinTile(p)
			p += 3
			continue
		}
		j.panelRows(worker, p, lo, hi)
	}
	if j.e.After != nil {
		i0, i1 := share(j.m, j.panelsA, lo), share(j.m, j.panelsA, hi)
		j0, j1 := first*j.t.Cols, min(last*j.t.Cols, j.n)
		after(i1-i0, j1-j0, j.c[i0*j.ldc+j0:], j.ldc, j.e.After)
	}
}

// panelRows computes the tiles of panel p of B with panels lo to hi of A.
func (j *job[T]) panelRows(worker, p, lo, hi int) {
	t := j.t
	j0 := p * t.Cols
	cols := min(t.Cols, j.n-j0)
	for k0 := 0; ; k0 += j.kMax {
		kLen := min(j.kMax, j.k-k0)
		b, bStep := j.steps(worker, j0, cols, k0, kLen)
		last := k0+kLen == j.k
		for q := lo; q < hi; q++ {
			i0, i1 := share(j.m, j.panelsA, q), share(j.m, j.panelsA, q+1)
			var a []T
			if kLen > 0 {
				a = j.a.Data[i0*j.a.Stride+k0:]
			}
			start, bias := j.start(i0, j0, k0)
			add := j.residual(i0, j0, last)
			next := j.next(b, p+j.group, q, lo, hi, k0, kLen)
			t.RowsTile(i1-i0, kLen, a, j.a.Stride, b, bStep, j.c[i0*j.ldc+j0:], j.ldc, cols, add, j.e.ResidualStride, start, bias, next, last && j.e.ReLU)
		}
		if k0+kLen >= j.k {
			return
		}
	}
}

// thinTile computes four panels of B with the only row of A.
func (j *job[T]) thinTile(p int) {
	t := j.t
	j0 := p * t.Cols
	for k0 := 0; ; k0 += j.kMax {
		kLen := min(j.kMax, j.k-k0)
		start, bias := j.start(0, j0, k0)
		last := k0+kLen == j.k
		t.ThinTile(kLen, j.a.Data[k0:], j.b.Data[j0*j.k+k0*t.Cols:], j.k*t.Cols, j.c[j0:], j.residual(0, j0, last), start, bias, last && j.e.ReLU)
		if k0+kLen >= j.k {
			return
		}
	}
}

// start is what the sums of a tile start from at step k0.
func (j *job[T]) start(i0, j0, k0 int) (Start, []T) {
	switch e := &j.e; {
	case k0 > 0:
		return FromC, nil
	case e.Start == FromRowBias:
		return e.Start, e.Bias[i0:]
	case e.Start == FromColBias:
		return e.Start, e.Bias[j0:]
	default:
		return e.Start, nil
	}
}

// residual is what is added to the sums of a tile, nil before its last step.
func (j *job[T]) residual(i0, j0 int, last bool) []T {
	if !last || j.e.Residual == nil {
		return nil
	}
	return j.e.Residual[i0*j.e.ResidualStride+j0:]
}

// next is the part of panel p of B that the tiles of panel q of A fetch, of
// those that the same thread will go through first, lo to hi or all.
func (j *job[T]) next(b []T, p, q, lo, hi, k0, kLen int) []T {
	if !j.b.Packed || p >= j.panelsB || kLen == 0 {
		return b
	}
	if !j.byChunk {
		lo, hi = 0, j.panelsA
	}
	return j.b.Data[p*j.t.Cols*j.k+k0*j.t.Cols+(q-lo)*(kLen*j.t.Cols/(hi-lo)):]
}
