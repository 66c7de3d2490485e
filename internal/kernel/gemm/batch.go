package gemm

import "github.com/gneiss-ml/gneiss/internal/parallel"

// Offsets say where the matrices of one product of a batch begin in the data
// of the two operands and of the result.
type Offsets struct{ A, B, C int }

// MulBatch computes one product per element of batch, all of the same sizes.
// The operands' offsets may repeat, which is how a broadcast is written; the
// results must not overlap. The bias is the same for all. scratch has
// BatchScratch elements, or is nil to be allocated.
func MulBatch[T Float](t *Table[T], team *parallel.Team, m, n, k int, a, b Operand[T], c []T, ldc int, e Epilogue[T], batch []Offsets, scratch []T) {
	check(m >= 0 && n >= 0 && k >= 0, badSize)
	if m == 0 || n == 0 || len(batch) == 0 {
		return
	}
	t = orBest(t)
	need := Scratch(t, 1, m, n, k, a, b)
	if scratch == nil {
		scratch = make([]T, BatchScratch(t, team.Threads(), m, n, k, a, b))
	}
	l := batches[T]()
	j := l.Take()
	*j = batchJob[T]{t: t, m: m, n: n, k: k, a: a, b: b, c: c, ldc: ldc, e: e, batch: batch, scratch: scratch, need: need}
	j.run(team)
	l.Give(j)
}

// BatchScratch returns how many elements MulBatch needs as scratch on a team
// of that many threads.
func BatchScratch[T Float](t *Table[T], threads, m, n, k int, a, b Operand[T]) int {
	return max(max(threads, 1)*Scratch(t, 1, m, n, k, a, b), Scratch(t, threads, m, n, k, a, b))
}

type batchJob[T Float] struct {
	t       *Table[T]
	m, n, k int
	a, b    Operand[T]
	c       []T
	ldc     int
	e       Epilogue[T]
	batch   []Offsets
	scratch []T
	need    int
	perTile int
}

var (
	batches32 parallel.FreeList[batchJob[float32]]
	batches64 parallel.FreeList[batchJob[float64]]
)

func batches[T Float]() *parallel.FreeList[batchJob[T]] {
	if l, ok := any(&batches32).(*parallel.FreeList[batchJob[T]]); ok {
		return l
	}
	return any(&batches64).(*parallel.FreeList[batchJob[T]])
}

// run shares out the products, or, if they are few and great, the tiles of
// each. The bits are the same either way.
func (j *batchJob[T]) run(team *parallel.Team) {
	each := max(work(j.m, j.n, j.k), 1)
	if each*int64(len(j.batch)) < j.t.Worth {
		team = nil
	}
	if threads := team.Threads(); len(j.batch) < threads || len(j.batch) < 2*threads && each >= j.t.Worth {
		for i := range j.batch {
			j.product(team, i, j.scratch)
		}
		return
	}
	check(len(j.scratch) >= team.Threads()*j.need, shortScratch)
	j.perTile = int(min(max(j.t.Worth/4/each, 1), int64(len(j.batch))))
	team.DoWorkers((len(j.batch)+j.perTile-1)/j.perTile, j)
}

// Tile runs some products one after the other.
func (j *batchJob[T]) Tile(worker, i int) {
	scratch := j.scratch[worker*j.need:][:j.need]
	for p := i * j.perTile; p < min((i+1)*j.perTile, len(j.batch)); p++ {
		j.product(nil, p, scratch)
	}
}

func (j *batchJob[T]) product(team *parallel.Team, i int, scratch []T) {
	at := j.batch[i]
	a, b := j.a, j.b
	if j.k > 0 {
		a.Data, b.Data = a.Data[at.A:], b.Data[at.B:]
	}
	Mul(j.t, team, j.m, j.n, j.k, a, b, j.c[at.C:], j.ldc, j.e, scratch)
}
