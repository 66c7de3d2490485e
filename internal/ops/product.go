package ops

import (
	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/parallel"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gemmTable is the kernels that a run uses: those of this CPU, or plain Go.
func gemmTable[T gemm.Float](generic bool) *gemm.Table[T] {
	if generic {
		return gemm.For[T](cpu.Generic)
	}
	return gemm.Best[T]()
}

// matrices is a product of batches of matrices as MatMul defines it: the last two axes are the matrices, a vector stands for
// a matrix of one row (left) or one column (right), the other axes broadcast.
type matrices struct {
	m, n, k int
	count   int
	a, b    []axis // walks over the matrices of A and of B, in matrices
}

// of sets p for operands of the given shapes. Where B is one matrix, the rows of all matrices of A are one matrix.
func (p *matrices) of(a, b, out []int) {
	p.m, p.n = 1, 1
	p.k = a[len(a)-1]
	batchA, batchB := a[:max(len(a)-2, 0)], b[:max(len(b)-2, 0)]
	if len(a) > 1 {
		p.m = a[len(a)-2]
	}
	if len(b) > 1 {
		p.n = b[len(b)-1]
	}
	if len(batchB) == 0 {
		p.m *= product(batchA)
		p.count, p.a, p.b = 1, p.a[:0], p.b[:0]
		return
	}
	batch := out[:max(len(batchA), len(batchB))]
	p.count = product(batch)
	p.a, p.b = broadcastAxes(p.a[:0], batchA, batch), broadcastAxes(p.b[:0], batchB, batch)
}

// multiply is the state of a MatMul step.
type multiply[T gemm.Float] struct {
	matrices
	table   *gemm.Table[T]
	e       gemm.Epilogue[T]
	packed  *packed[T]
	x, y, z []T
	scratch []T
	each    int // elements of scratch of one product
	batch   []gemm.Offsets
}

func (s *multiply[T]) operands(i int) (a, b gemm.Operand[T], c []T) {
	ia, ib := offsetAt(s.a, i)*s.m*s.k, offsetAt(s.b, i)*s.k*s.n
	a = gemm.Operand[T]{Data: s.x[ia : ia+s.m*s.k], Stride: max(s.k, 1)}
	b = gemm.Operand[T]{Stride: max(s.n, 1)}
	if s.packed == nil {
		b.Data = s.y[ib : ib+s.k*s.n]
	}
	return a, b, s.z[i*s.m*s.n : (i+1)*s.m*s.n]
}

// Tile computes product i on one thread.
func (s *multiply[T]) Tile(worker, i int) {
	s.one(nil, i, s.scratch[worker*s.each:(worker+1)*s.each])
}

func (s *multiply[T]) one(team *parallel.Team, i int, scratch []T) {
	a, b, c := s.operands(i)
	b = s.packed.operandB(s.table, s.m, s.n, s.k, a, b)
	gemm.Mul(s.table, team, s.m, s.n, s.k, a, b, c, max(s.n, 1), s.e, scratch)
}

// apart reports whether the products are shared among threads whole: there are enough of them.
func (p *matrices) apart(threads int) bool { return threads > 1 && p.count >= 2*threads }

func (p *matrices) scratch(generic bool, threads int, size func(generic bool, threads, m, n, k int) int) (each, all int) {
	if p.apart(threads) {
		each = size(generic, 1, p.m, p.n, p.k)
		return each, each * threads
	}
	each = size(generic, threads, p.m, p.n, p.k)
	return each, each
}

func gemmScratch[T gemm.Float](generic bool, threads, m, n, k int) int {
	return gemm.Scratch(gemmTable[T](generic), threads, m, n, k,
		gemm.Operand[T]{Stride: max(k, 1)}, gemm.Operand[T]{Stride: max(n, 1)})
}

// multiplyStep compiles MatMul, and gneiss.MatMulAdd, which has a third input. A constant B that is one matrix is packed once.
func multiplyStep[T gemm.Float](c *opdef.Compile) (opdef.Step, error) {
	generic := c.Generic
	var packed *packed[T]
	if b := c.Const(1); b != nil && len(b.Shape) == 2 {
		packed = packedInput[T](c, 1)
	}
	after, relu, err := productActivation[T](c)
	if err != nil {
		return opdef.Step{}, err
	}
	return opdef.Step{
		Scratch: func(b *opdef.Bound) int {
			var p matrices
			p.of(b.In[0].Shape, b.In[1].Shape, b.Out[0].Shape)
			x, y := gemm.Operand[T]{Stride: max(p.k, 1)}, gemm.Operand[T]{Stride: max(p.n, 1)}
			return gemm.BatchScratch(gemmTable[T](generic), b.Threads, p.m, p.n, p.k, x, y) * onnx.ElemOf[T]().Size()
		},
		Cost: func(b *opdef.Bound) opdef.Cost {
			var p matrices
			p.of(b.In[0].Shape, b.In[1].Shape, b.Out[0].Shape)
			return productCost(b, p.count, p.m, p.n, p.k)
		},
		Held:      packed.held(),
		ShapeOnly: packed.shapeOnly(1),
		State: func() any {
			return &multiply[T]{table: gemmTable[T](generic), packed: packed, e: gemm.Epilogue[T]{ReLU: relu, After: after}}
		},
		Run: func(r *opdef.Run) error { return r.State.(*multiply[T]).run(r) },
	}, nil
}

func (s *multiply[T]) run(r *opdef.Run) error {
	s.of(r.In[0].Shape, r.In[1].Shape, r.Out[0].Shape)
	s.x, s.y, s.z = opdef.Of[T](r.In[0]), opdef.Of[T](r.In[1]), opdef.Of[T](r.Out[0])
	s.scratch = onnx.View[T](r.Scratch)
	if r.Has(2) {
		s.e.Start, s.e.Bias = gemm.FromColBias, opdef.Of[T](r.In[2])
	}
	if s.e.Residual = inputOf[T](r, 3); s.e.Residual != nil {
		if s.e.ResidualStride = max(s.n, 1); len(s.e.Residual) != len(s.z) {
			return onnx.Invalidf("expected a residual of shape %v, received %v", r.Out[0].Shape, r.In[3].Shape)
		}
	}
	if s.count == 1 {
		s.one(r.Team, 0, s.scratch)
		return nil
	}
	s.batch = s.batch[:0]
	for i := range s.count {
		s.batch = append(s.batch, gemm.Offsets{A: offsetAt(s.a, i) * s.m * s.k, B: offsetAt(s.b, i) * s.k * s.n, C: i * s.m * s.n})
	}
	a, b := gemm.Operand[T]{Data: s.x, Stride: max(s.k, 1)}, gemm.Operand[T]{Data: s.y, Stride: max(s.n, 1)}
	gemm.MulBatch(s.table, r.Team, s.m, s.n, s.k, a, b, s.z, max(s.n, 1), s.e, s.batch, s.scratch)
	return nil
}

// productCost is the cost of count products.
func productCost(b *opdef.Bound, count, m, n, k int) opdef.Cost {
	return opdef.Cost{FLOP: 2 * int64(count) * int64(m) * int64(n) * int64(k), Bytes: allBytes(b)}
}

// allBytes is the bytes of all inputs and outputs.
func allBytes(b *opdef.Bound) int64 {
	n := int64(0)
	for _, vs := range [][]opdef.View{b.In, b.Out} {
		for i := range vs {
			n += int64(vs[i].Len()) * int64(vs[i].Elem.Size())
		}
	}
	return n
}

// integerMatrices is the state of a MatMul step for integers, whose sums wrap.
type integerMatrices[T int32 | int64 | uint32 | uint64] struct {
	matrices
	x, y, z []T
}

// Tile computes product i.
func (s *integerMatrices[T]) Tile(i int) {
	ia, ib := offsetAt(s.a, i)*s.m*s.k, offsetAt(s.b, i)*s.k*s.n
	mulIntegers(s.m, s.n, s.k, s.x[ia:], s.y[ib:], s.z[i*s.m*s.n:])
}

// mulIntegers computes C = A·B for row-major A of m x k and B of k x n elements.
func mulIntegers[T int32 | int64 | uint32 | uint64](m, n, k int, a, b, c []T) {
	clear(c[:m*n])
	for i := range m {
		row := c[i*n : (i+1)*n]
		for p := range k {
			x := a[i*k+p]
			for j, y := range b[p*n : (p+1)*n] {
				row[j] += x * y
			}
		}
	}
}

func integerStep[T int32 | int64 | uint32 | uint64](*opdef.Compile) (opdef.Step, error) {
	return opdef.Step{
		State: func() any { return &integerMatrices[T]{} },
		Run: func(r *opdef.Run) error {
			s := r.State.(*integerMatrices[T])
			s.of(r.In[0].Shape, r.In[1].Shape, r.Out[0].Shape)
			s.x, s.y, s.z = onnx.View[T](r.In[0].Data), onnx.View[T](r.In[1].Data), onnx.View[T](r.Out[0].Data)
			r.Team.Do(s.count, s)
			return nil
		},
	}, nil
}
