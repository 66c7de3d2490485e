package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Gemm: Y = alpha·A'·B' + beta·C, where A' and B' are A and B, or their transposes; C broadcasts to Y.
//
// Opset 6: consumed_inputs does not exist but broadcast must be set for C to broadcast. 7: C always broadcasts. 9: integers.
// 11: C is optional. 13: bfloat16. alpha and beta are truncated for integers, whose sums wrap.
var opGemm = opdef.Def{
	Type:    "Gemm",
	Infer:   inferGemm,
	Compile: compileGemm,
	Upgrade: func(c *opdef.Rewrite) error {
		c.Node.DropAttr("broadcast")
		return nil
	},
	Grad: gradGemm,
}

func inferGemm(c *opdef.Infer) error {
	a, errA := c.ShapeRank(0, 2)
	b, errB := c.ShapeRank(1, 2)
	for _, err := range []error{errA, errB} {
		if err != nil {
			c.SetUnranked(0, c.Elem(0))
			return err
		}
	}
	m, ka := pick2(a, c.Node.Int("transA", 0))
	kb, n := pick2(b, c.Node.Int("transB", 0))
	if ka.IsFixed() && kb.IsFixed() && ka != kb {
		return onnx.Invalidf("A' is %v x %v, B' is %v x %v", m, ka, kb, n)
	}
	if c.Has(2) {
		if s, err := c.Shape(2); err == nil {
			out, err := opdef.Broadcast([]onnx.Dim{m, n}, s)
			if err != nil || len(out) != 2 || m.IsFixed() && out[0] != m || n.IsFixed() && out[1] != n {
				return onnx.Invalidf("C is %v, which does not broadcast to %v x %v", c.Ins[2], m, n)
			}
		}
	}
	c.Set(0, c.Elem(0), m, n)
	return nil
}

func pick2(s []onnx.Dim, trans int64) (rows, cols onnx.Dim) {
	if trans != 0 {
		return s[1], s[0]
	}
	return s[0], s[1]
}

// affine is the state of a Gemm step.
type affine[T gemm.Float] struct {
	table          *gemm.Table[T]
	transA, transB bool
	alpha, beta    T
	relu           bool // replaces negative results by zero; alpha is 1 then
	packed         *packed[T]
	axes           []axis
}

// sizes are the rows and columns of Y and the length of its sums.
func gemmSizes(a, b []int, transA, transB bool) (m, n, k int) {
	m, k, n = a[0], a[1], b[1]
	if transA {
		m, k = k, m
	}
	if transB {
		n = b[0]
	}
	return m, n, k
}

func (s *affine[T]) operands(in []opdef.View) (a, b gemm.Operand[T]) {
	a = gemm.Operand[T]{Data: opdef.Of[T](in[0]), Stride: max(in[0].Shape[1], 1), Trans: s.transA}
	b = gemm.Operand[T]{Data: opdef.Of[T](in[1]), Stride: max(in[1].Shape[1], 1), Trans: s.transB}
	return a, b
}

// affineStep compiles Gemm, with relu also what it does with negative results. A constant B is packed once.
func affineStep[T gemm.Float](relu bool) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) { return affineStepOf[T](c, relu) }
}

func affineStepOf[T gemm.Float](c *opdef.Compile, relu bool) (opdef.Step, error) {
	packed := packedInput[T](c, 1)
	make := func() any {
		return &affine[T]{
			table: gemmTable[T](c.Generic), transA: c.Node.Int("transA", 0) != 0, transB: c.Node.Int("transB", 0) != 0,
			alpha: T(c.Node.Float("alpha", 1)), beta: T(c.Node.Float("beta", 1)), relu: relu, packed: packed,
		}
	}
	s := make().(*affine[T])
	return opdef.Step{
		Scratch: func(b *opdef.Bound) int {
			m, n, k := gemmSizes(b.In[0].Shape, b.In[1].Shape, s.transA, s.transB)
			x := gemm.Operand[T]{Stride: max(b.In[0].Shape[1], 1), Trans: s.transA}
			y := gemm.Operand[T]{Stride: max(b.In[1].Shape[1], 1), Trans: s.transB}
			y.Packed = packed != nil && gemm.PacksB(s.table, m, n, k, x, y)
			return gemm.Scratch(s.table, b.Threads, m, n, k, x, y) * onnx.ElemOf[T]().Size()
		},
		Held:      packed.held(),
		ShapeOnly: packed.shapeOnly(1),
		Cost: func(b *opdef.Bound) opdef.Cost {
			m, n, k := gemmSizes(b.In[0].Shape, b.In[1].Shape, s.transA, s.transB)
			return productCost(b, 1, m, n, k)
		},
		State: make,
		Run:   func(r *opdef.Run) error { return r.State.(*affine[T]).run(r) },
	}, nil
}

func (s *affine[T]) run(r *opdef.Run) error {
	m, n, k := gemmSizes(r.In[0].Shape, r.In[1].Shape, s.transA, s.transB)
	a, b := s.operands(r.In)
	y := opdef.Of[T](r.Out[0])
	b = s.packed.operandB(s.table, m, n, k, a, b)
	e := gemm.Epilogue[T]{ReLU: s.relu}
	switch {
	case !r.Has(2) || s.beta == 0:
	case s.alpha == 1 && s.beta == 1 && isRow(r.In[2].Shape, n):
		e.Start, e.Bias = gemm.FromColBias, opdef.Of[T](r.In[2])
	case s.alpha == 1:
		s.fill(y, r)
		e.Start = gemm.FromC
	}
	gemm.Mul(s.table, r.Team, m, n, k, a, b, y, max(n, 1), e, onnx.View[T](r.Scratch))
	if s.alpha != 1 {
		s.scale(y, r)
	}
	return nil
}

// isRow reports whether a tensor of shape, broadcast, is the same row of n elements everywhere.
func isRow(shape []int, n int) bool {
	return len(shape) > 0 && shape[len(shape)-1] == n && product(shape) == n
}

// fill sets y to beta·C.
func (s *affine[T]) fill(y []T, r *opdef.Run) {
	s.axes = broadcastAxes(s.axes[:0], r.In[2].Shape, r.Out[0].Shape)
	readAll(y, opdef.Of[T](r.In[2]), s.axes)
	if s.beta != 1 {
		for i := range y {
			y[i] *= s.beta
		}
	}
}

// scale makes the product y alpha·y + beta·C.
func (s *affine[T]) scale(y []T, r *opdef.Run) {
	for i := range y {
		y[i] *= s.alpha
	}
	if !r.Has(2) || s.beta == 0 {
		return
	}
	c := opdef.Of[T](r.In[2])
	s.axes = broadcastAxes(s.axes[:0], r.In[2].Shape, r.Out[0].Shape)
	for i := range y {
		y[i] += T(s.beta * c[offsetAt(s.axes, i)])
	}
}

// readAll fills dst with all elements of a walk.
func readAll[T any](dst, src []T, axes []axis) {
	switch {
	case len(dst) == 0:
	case len(axes) == 0:
		dst[0] = src[0]
	default:
		gather(dst, src, axes, 0)
	}
}

func compileGemm(c *opdef.Compile) (opdef.Step, error) {
	switch c.Elem(0) {
	case onnx.Int32:
		return integerGemm[int32](c)
	case onnx.Int64:
		return integerGemm[int64](c)
	case onnx.Uint32:
		return integerGemm[uint32](c)
	case onnx.Uint64:
		return integerGemm[uint64](c)
	}
	return floatKernel(0, affineStep[float32](false), affineStep[float64](false))(c)
}

func integerGemm[T int32 | int64 | uint32 | uint64](c *opdef.Compile) (opdef.Step, error) {
	transA, transB := c.Node.Int("transA", 0) != 0, c.Node.Int("transB", 0) != 0
	alpha, beta := T(int64(c.Node.Float("alpha", 1))), T(int64(c.Node.Float("beta", 1)))
	return opdef.Step{Run: func(r *opdef.Run) error {
		m, n, k := gemmSizes(r.In[0].Shape, r.In[1].Shape, transA, transB)
		a, b, y := onnx.View[T](r.In[0].Data), onnx.View[T](r.In[1].Data), onnx.View[T](r.Out[0].Data)
		clear(y)
		var bias []T
		var axes []axis
		if r.Has(2) {
			bias, axes = onnx.View[T](r.In[2].Data), broadcastAxes(nil, r.In[2].Shape, r.Out[0].Shape)
		}
		for i := range y {
			var sum T
			for p := range k {
				sum += a[at(i/n, p, m, k, transA)] * b[at(p, i%n, k, n, transB)]
			}
			if y[i] = alpha * sum; bias != nil {
				y[i] += beta * bias[offsetAt(axes, i)]
			}
		}
		return nil
	}}, nil
}

// at is the place of element (i, j) of a rows x cols matrix, which may be stored transposed.
func at(i, j, rows, cols int, trans bool) int {
	if trans {
		return j*rows + i
	}
	return i*cols + j
}

// gradGemm: with D = alpha·dY, dA' = D·B'ᵀ, dB' = A'ᵀ·D, dC = beta·dY summed over what was broadcast.
func gradGemm(c *opdef.Grad) error {
	n, dy := c.Node, c.DY(0)
	ta, tb := n.Int("transA", 0), n.Int("transB", 0)
	alpha, beta := n.Float("alpha", 1), n.Float("beta", 1)
	gemmOp := func(x, y *onnx.Value, tx, ty int64) *onnx.Value {
		attrs := []onnx.Attribute{onnx.Int("transA", tx), onnx.Int("transB", ty)}
		if alpha != 1 {
			attrs = append(attrs, onnx.Float("alpha", alpha))
		}
		return c.Op("Gemm", values{x, y}, attrs...)
	}
	if c.Needs(0) {
		if ta == 0 {
			c.SetDX(0, gemmOp(dy, c.In(1), 0, 1-tb))
		} else {
			c.SetDX(0, gemmOp(c.In(1), dy, tb, 1))
		}
	}
	if c.Needs(1) {
		if tb == 0 {
			c.SetDX(1, gemmOp(c.In(0), dy, 1-ta, 0))
		} else {
			c.SetDX(1, gemmOp(dy, c.In(0), 1, ta))
		}
	}
	if c.Needs(2) {
		d := sumTo(c, dy, c.In(2))
		if beta != 1 {
			d = c.Op("Mul", values{d, number(c.Builder, dy, float64(beta))})
		}
		c.SetDX(2, d)
	}
	return nil
}
