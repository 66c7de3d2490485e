package vec

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/gneiss-ml/gneiss/internal/cpu"
)

// Table is the kernels on float32 in which the tiers differ. All functions of all tables give the same bits; only which NaN a
// NaN is may differ. Slices are as long as the first one.
type Table struct {
	Level              cpu.Level
	add, sub, mul, div func(y, a, b []float32)
	min, max           func(y, a, b []float32)
	relu, abs, neg     func(y, x []float32)
	reluGrad           func(dx, dy, y []float32)
	functions          [len(genericFunctions)]functionKernel
	swish              func(y, x []float32, c *[cEnd]float64)
}

var generic = Table{
	Level: cpu.Generic,
	add:   add[float32], sub: sub[float32], mul: mul[float32], div: div[float32],
	min: minimum[float32], max: maximum[float32],
	relu: relu[float32], abs: abs[float32], neg: neg[float32], reluGrad: reluGrad[float32],
	functions: genericFunctions, swish: swish,
}

// For is the table of a level, which must be one of cpu.Supported, or the best below it.
func For(level cpu.Level) *Table { return tableOf(level) }

// Best is the table of the tier in use.
func Best() *Table {
	if t := override.Load(); t != nil {
		return t
	}
	return best()
}

var (
	best     = sync.OnceValue(func() *Table { return tableOf(cpu.Tier()) })
	override atomic.Pointer[Table]
)

// Override makes t the table in use until restore is called: for tests.
func Override(t *Table) (restore func()) {
	old := override.Swap(t)
	return func() { override.Store(old) }
}

// Traced is a copy of t whose entries call called with their name first: for tests.
func (t *Table) Traced(called func(entry string)) *Table {
	c := *t
	three := func(name string, f func(y, a, b []float32)) func(y, a, b []float32) {
		return func(y, a, b []float32) {
			called(name)
			f(y, a, b)
		}
	}
	c.add, c.sub, c.mul, c.div = three("add", t.add), three("sub", t.sub), three("mul", t.mul), three("div", t.div)
	c.reluGrad = three("reluGrad", t.reluGrad)
	c.min, c.max = three("min", t.min), three("max", t.max)
	two := func(name string, f func(y, x []float32)) func(y, x []float32) {
		return func(y, x []float32) {
			called(name)
			f(y, x)
		}
	}
	c.relu, c.abs, c.neg = two("relu", t.relu), two("abs", t.abs), two("neg", t.neg)
	for i, f := range t.functions {
		c.functions[i] = func(y, x []float32) {
			called(fmt.Sprintf("function %d", i))
			f(y, x)
		}
	}
	c.swish = func(y, x []float32, k *[cEnd]float64) {
		called("swish")
		t.swish(y, x, k)
	}
	return &c
}

// Arith is the kernel of op as the function Arith defines it.
func (t *Table) Arith(op Op) func(y []float32, x [][]float32) {
	switch op {
	case Add:
		return fold(t.add)
	case Sub:
		return fold(t.sub)
	case Mul:
		return fold(t.mul)
	case Div:
		return fold(t.div)
	case Min:
		return fold(t.min)
	case Max:
		return fold(t.max)
	case Relu:
		return single(t.relu)
	case Abs:
		return single(t.abs)
	case Neg:
		return single(t.neg)
	}
	return Arith[float32](op)
}

// ReluGrad is the kernel of dx for dy and the y of Relu, as the function ReluGrad defines it.
func (t *Table) ReluGrad(dx []float32, x [][]float32) { t.reluGrad(dx, x[0], x[1]) }

// Sums adds x to sixteen sums in float64, element i to sum i%16. t counts for float32 only, and may be nil for float64.
func Sums[T Float](t *Table, s *[16]float64, x []T) {
	if x, ok := any(x).([]float32); ok {
		t.sums(s, x)
		return
	}
	sums(s, x)
}

// Tree adds sixteen sums up, halves to halves.
func Tree(s *[16]float64) float64 {
	a, b, c, d := s[0]+s[8], s[1]+s[9], s[2]+s[10], s[3]+s[11]
	e, f, g, h := s[4]+s[12], s[5]+s[13], s[6]+s[14], s[7]+s[15]
	return ((a + e) + (c + g)) + ((b + f) + (d + h))
}

func sums[T Float](s *[16]float64, x []T) {
	for ; len(x) >= 16; x = x[16:] {
		for i, v := range x[:16] {
			s[i] += float64(v)
		}
	}
	for i, v := range x {
		s[i] += float64(v)
	}
}
