package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// exact is the state of the products of quantized tensors. Factors are made float64, in which products and sums of 8-bit
// integers are exact, whatever their order.
type exact struct {
	quantizer
	multiply[float64]
	conv convolution[float64]
	q    [4][]float64 // scales and zero points: of the factors, scale of the result, zero point of the result
	z    [2][]float64
}

// exactInputs says which inputs are what: -1 for none.
type exactInputs struct {
	a, aScale, aZero, b, bScale, bZero, yScale, yZero, bias int
}

var (
	integerInputs = exactInputs{a: 0, aScale: -1, aZero: 2, b: 1, bScale: -1, bZero: 3, yScale: -1, yZero: -1, bias: -1}
	linearInputs  = exactInputs{a: 0, aScale: 1, aZero: 2, b: 3, bScale: 4, bZero: 5, yScale: 6, yZero: 7, bias: 8}
)

// bytes is the scratch of the factors and of the product, in float64.
func (p exactInputs) bytes(b *opdef.Bound) int {
	return alignUp(8*b.In[p.a].Len()) + alignUp(8*b.In[p.b].Len()) + alignUp(8*b.Out[0].Len())
}

// factors cuts the scratch into A, B, the product and the rest.
func (p exactInputs) factors(r *opdef.Run, out int) (a, b, c, rest []float64) {
	cut := func(n int) []float64 {
		v := onnx.View[float64](r.Scratch[:8*n])
		r.Scratch = r.Scratch[alignUp(8*n):]
		return v
	}
	a, b, c = cut(r.In[p.a].Len()), cut(r.In[p.b].Len()), cut(out)
	return a, b, c, onnx.View[float64](r.Scratch)
}

// number reads input i as float64; nil when absent.
func (s *exact) number(i int, to *[]float64) ([]float64, error) {
	if i < 0 || !s.Has(i) {
		return nil, nil
	}
	err := s.parameter(i, to)
	return *to, err
}

// shifted reads factor i into to and subtracts its zero point, of which element e has number at(e).
func (s *exact) shifted(to []float64, i, zero, slot int, at func(e, zeros int) (int, error)) error {
	x, err := s.elements(i)
	if err != nil {
		return err
	}
	if err := s.widened(&s.quantizer.wide, &to, s.In[i], x); err != nil {
		return err
	}
	z, err := s.number(zero, &s.z[slot])
	if err != nil || len(z) == 0 || len(z) == 1 && z[0] == 0 {
		return err
	}
	for e := range to {
		k, err := at(e, len(z))
		if err != nil {
			return err
		}
		to[e] -= z[k]
	}
	return nil
}

// badZeros is the error for parameters that do not fit.
func badZeros(n, want int) error {
	return onnx.Invalidf("expected 1 zero point or scale or %d, received %d", want, n)
}

// rowOf and columnOf say which parameter an element of a matrix of the given size has: one for all, one for each row or
// column, or those of each matrix.
func rowOf(rows, cols int) func(e, n int) (int, error) {
	return func(e, n int) (int, error) {
		switch row := e / max(cols, 1); {
		case n == 1:
			return 0, nil
		case n == rows:
			return row % rows, nil
		case row < n:
			return row, nil
		}
		return 0, badZeros(n, rows)
	}
}

func columnOf(rows, cols int) func(e, n int) (int, error) {
	return func(e, n int) (int, error) {
		batch, col := e/max(rows*cols, 1), e%max(cols, 1)
		switch {
		case n == 1:
			return 0, nil
		case n == cols:
			return col, nil
		case batch*cols+col < n:
			return batch*cols + col, nil
		}
		return 0, badZeros(n, cols)
	}
}

// finish turns the exact sums c into the output: integers as they are, wrapped, or scaled by scale(e) and moved to the zero point.
func (s *exact) finish(p exactInputs, c []float64, scale func(e int) (float64, error)) error {
	to := s.Node.Out(0).Type.Elem
	y, err := s.output(0, to, s.Out[0].Shape)
	if err != nil {
		return err
	}
	if p.yScale < 0 {
		out := onnx.View[int32](y.b)
		for i, v := range c {
			out[i] = int32(int64(v))
		}
		return nil
	}
	zero, err := s.number(p.yZero, &s.q[3])
	if err != nil {
		return err
	}
	z := 0.0
	if len(zero) > 0 {
		z = zero[0]
	}
	float := familyOf(to) == wideFloat
	lo, hi := 0.0, 0.0
	if !float {
		lo, hi = integerRange(to)
	}
	store, w := storer(to, float8{saturate: true, round: "up"}), &s.quantizer.wide
	for at := 0; at < len(c); at += chunk {
		n := min(chunk, len(c)-at)
		for i := range n {
			k, err := scale(at + i)
			if err != nil {
				return err
			}
			v := float64(float32(c[at+i]) * float32(k))
			if w.f[i] = v + z; !float {
				w.i[i] = int64(saturated(math.RoundToEven(v)+z, lo, hi))
			}
		}
		store(y.cut(at, n).b, w, n)
	}
	return nil
}

// exactStep completes a step of this family.
func exactStep(c *opdef.Compile, s opdef.Step, run func(s *exact, r *opdef.Run) error) opdef.Step {
	s.State = func() any {
		t := gemmTable[float64](c.Generic)
		return &exact{multiply: multiply[float64]{table: t}, conv: convolution[float64]{node: c.Node, table: t}}
	}
	s.Run = func(r *opdef.Run) error {
		e := r.State.(*exact)
		e.Run, e.used, e.late = r, 0, e.late[:0]
		return e.end(run(e, r))
	}
	return s
}

// exactMatMul compiles a product of matrices of quantized numbers.
func exactMatMul(p exactInputs) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		generic := c.Generic
		return exactStep(c, opdef.Step{
			Scratch: func(b *opdef.Bound) int {
				var m matrices
				if len(b.In[p.a].Shape) == 0 || len(b.In[p.b].Shape) == 0 {
					return 0
				}
				m.of(b.In[p.a].Shape, b.In[p.b].Shape, b.Out[0].Shape)
				_, n := m.scratch(generic, max(b.Threads, 1), gemmScratch[float64])
				return p.bytes(b) + 8*n
			},
			Cost: func(b *opdef.Bound) opdef.Cost {
				var m matrices
				m.of(b.In[p.a].Shape, b.In[p.b].Shape, b.Out[0].Shape)
				return productCost(b, m.count, m.m, m.n, m.k)
			},
		}, func(s *exact, r *opdef.Run) error { return s.matMul(p, r) }), nil
	}
}

func (s *exact) matMul(p exactInputs, r *opdef.Run) error {
	a, b := r.In[p.a].Shape, r.In[p.b].Shape
	rows, cols := 1, 1
	if len(a) > 1 {
		rows = a[len(a)-2]
	}
	if len(b) > 1 {
		cols = b[len(b)-1]
	}
	k := a[len(a)-1]
	scratch := r.Scratch
	defer func() { r.Scratch = scratch }()
	m := &s.multiply
	m.of(a, b, r.Out[0].Shape)
	m.x, m.y, m.z, m.scratch = p.factors(r, r.Out[0].Len())
	if err := s.shifted(m.x, p.a, p.aZero, 0, rowOf(rows, k)); err != nil {
		return err
	}
	if err := s.shifted(m.y, p.b, p.bZero, 1, columnOf(k, cols)); err != nil {
		return err
	}
	if threads := r.Team.Threads(); m.apart(threads) {
		m.each = len(m.scratch) / threads
		r.Team.DoWorkers(m.count, m)
	} else {
		for i := range m.count {
			m.one(r.Team, i, m.scratch)
		}
	}
	scale, err := s.scales(p, rowOf(rows, cols), columnOf(rows, cols))
	if err != nil {
		return err
	}
	return s.finish(p, m.z, scale)
}

// scales gives the factor of element e of the result: scale of A times scale of B over that of the result.
func (s *exact) scales(p exactInputs, a, b func(e, n int) (int, error)) (func(e int) (float64, error), error) {
	if p.yScale < 0 {
		return nil, nil
	}
	var list [3][]float64
	for i, in := range []int{p.aScale, p.bScale, p.yScale} {
		v, err := s.number(in, &s.q[i])
		if err != nil {
			return nil, err
		}
		if len(v) == 0 {
			return nil, onnx.Invalidf("input %d, a scale, is empty", in)
		}
		list[i] = v
	}
	return func(e int) (float64, error) {
		i, err := a(e, len(list[0]))
		if err != nil {
			return 0, err
		}
		j, err := b(e, len(list[1]))
		return float64(float32(list[0][i]) * float32(list[1][j]) / float32(list[2][0])), err
	}, nil
}

// exactConv compiles a convolution of quantized numbers.
func exactConv(p exactInputs) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		fresh := func() *convolution[float64] {
			return &convolution[float64]{node: c.Node, table: gemmTable[float64](c.Generic)}
		}
		return exactStep(c, opdef.Step{
			Scratch: func(b *opdef.Bound) int {
				plan, err := fresh().of(b.In[p.a].Shape, b.In[p.b].Shape)
				if err != nil {
					return 0 // Run says it
				}
				return p.bytes(b) + 8*plan.ForwardScratch(max(b.Threads, 1), false)
			},
		}, func(s *exact, r *opdef.Run) error { return s.convolve(p, r) }), nil
	}
}

func (s *exact) convolve(p exactInputs, r *opdef.Run) error {
	x, w := r.In[p.a].Shape, r.In[p.b].Shape
	plan, err := s.conv.of(x, w)
	if err != nil {
		return err
	}
	scratch := r.Scratch
	defer func() { r.Scratch = scratch }()
	image, weights, y, rest := p.factors(r, r.Out[0].Len())
	one := func(_, n int) (int, error) {
		if n != 1 {
			return 0, badZeros(n, 1)
		}
		return 0, nil
	}
	if err := s.shifted(image, p.a, p.aZero, 0, one); err != nil {
		return err
	}
	if err := s.shifted(weights, p.b, p.bZero, 1, rowOf(w[0], product(w[1:]))); err != nil {
		return err
	}
	bias, err := s.number(p.bias, &s.z[0])
	if err != nil {
		return err
	}
	if len(bias) > 0 && len(bias) != w[0] {
		return onnx.Invalidf("expected a bias of %d elements, received %d", w[0], len(bias))
	}
	plan.Forward(r.Team, image, conv.Weights[float64]{Data: weights}, slices.Clip(bias), false, y, rest)
	scale, err := s.scales(p, one, rowOf(w[0], product(r.Out[0].Shape[2:])))
	if err != nil {
		return err
	}
	return s.finish(p, y, scale)
}

// inferProduct infers a product of quantized tensors as infer does one of a and b.
func inferProduct(p exactInputs, e func(c *opdef.Infer) onnx.ElemType, infer func(*opdef.Infer) error) func(*opdef.Infer) error {
	return func(c *opdef.Infer) error {
		in := make([]onnx.Type, 0, 3)
		for _, i := range []int{p.a, p.b, p.bias} {
			t, ok := onnx.Type{}, false
			if i >= 0 {
				t, ok = c.In(i)
			}
			if !ok && i == p.bias {
				break
			}
			in = append(in, t)
		}
		inner := *c
		inner.Ins, inner.InInts, inner.Consts = in, nil, nil
		err := infer(&inner)
		c.Outs = inner.Outs
		if len(c.Outs) > 0 {
			c.Outs[0].Elem = e(c)
		}
		return err
	}
}
