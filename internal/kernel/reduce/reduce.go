// Package reduce makes one number of many: sums, products, largest and smallest.
//
// The order of additions depends on lengths only: within a block of Block numbers, Lanes chains and then a tree; the blocks
// are joined by a Tree. So results are the same for any number of threads, and rounding errors grow slowly.
package reduce

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
)

// Op says what is made of the numbers.
type Op uint8

// Ways to reduce.
const (
	Sum Op = iota
	SumAbs
	SumSquare
	SumExp // of exp(x - shift)
	Prod
	Max // NaN if any number is
	Min // NaN if any number is
)

const (
	Lanes = 16   // chains within a block
	Block = 1024 // numbers in a block
	Fan   = 32   // results that a level of a Tree chains before it passes their sum on
)

// Identity is what Op makes of no numbers: 0, 1, the lowest or the highest number of the type.
func Identity[T vec.Real](op Op) T {
	switch op {
	case Prod:
		return 1
	case Max:
		return lowest[T]()
	case Min:
		return highest[T]()
	}
	return 0
}

func lowest[T vec.Real]() T {
	if one := T(1); one/2 != 0 {
		return T(math.Inf(-1))
	}
	return -highest[T]() - 1
}

// highest finds the largest integer by doubling until it wraps.
func highest[T vec.Real]() T {
	one := T(1)
	if one/2 != 0 {
		return T(math.Inf(1))
	}
	v := one
	for v*2+1 > v {
		v = v*2 + 1
	}
	return v
}

// Join is the result for two parts that were reduced already.
func Join[T vec.Real](op Op, a, b T) T {
	switch op {
	case Prod:
		return a * b
	case Max:
		return max(a, b)
	case Min:
		return min(a, b)
	}
	return a + b
}

// JoinRows joins b to acc, element by element.
func JoinRows[T vec.Real](op Op, acc, b []T) {
	b = b[:len(acc)]
	switch op {
	case Prod:
		for i := range acc {
			acc[i] *= b[i]
		}
	case Max:
		for i := range acc {
			acc[i] = max(acc[i], b[i])
		}
	case Min:
		for i := range acc {
			acc[i] = min(acc[i], b[i])
		}
	default:
		for i := range acc {
			acc[i] += b[i]
		}
	}
}

// Rows takes the numbers x into acc, element by element; shift is used by SumExp alone.
func Rows[T vec.Real](op Op, acc, x, shift []T) {
	x = x[:len(acc)]
	switch op {
	case SumAbs:
		for i := range acc {
			acc[i] += magnitude(x[i])
		}
	case SumSquare:
		for i := range acc {
			acc[i] += T(x[i] * x[i])
		}
	case SumExp:
		for i := range acc {
			acc[i] += exp(x[i] - shift[i])
		}
	default:
		JoinRows(op, acc, x)
	}
}

func magnitude[T vec.Real](v T) T {
	if v < 0 {
		return -v
	}
	return v
}

func exp[T vec.Real](v T) T { return T(math.Exp(float64(v))) }

// One reduces x, at most Block numbers; shift is used by SumExp alone.
func One[T vec.Real](op Op, x []T, shift T) T {
	if op == Sum {
		return sum(x)
	}
	if len(x) < Lanes {
		acc := [1]T{Identity[T](op)}
		s := [1]T{shift}
		for i := range x {
			Rows(op, acc[:], x[i:i+1], s[:])
		}
		return acc[0]
	}
	var lanes, shifts [Lanes]T
	for i := range lanes {
		lanes[i], shifts[i] = Identity[T](op), shift
	}
	for ; len(x) >= Lanes; x = x[Lanes:] {
		Rows(op, lanes[:], x[:Lanes], shifts[:])
	}
	Rows(op, lanes[:len(x)], x, shifts[:])
	for n := Lanes / 2; n > 0; n /= 2 {
		JoinRows(op, lanes[:n], lanes[n:2*n])
	}
	return lanes[0]
}

// sum is One for Sum, with less ado.
func sum[T vec.Real](x []T) T {
	var lanes [Lanes]T
	for ; len(x) >= Lanes; x = x[Lanes:] {
		row := x[:Lanes]
		for i := range lanes {
			lanes[i] += row[i]
		}
	}
	for i, v := range x {
		lanes[i] += v
	}
	for n := Lanes / 2; n > 0; n /= 2 {
		for i := range n {
			lanes[i] += lanes[n+i]
		}
	}
	return lanes[0]
}

// Tree joins results that come one after the other, each a row of the same width. Its shape depends on their number only.
// The zero Tree is ready after Reset.
type Tree[T vec.Real] struct {
	op     Op
	width  int
	levels [][]T // level l chains up to Fan rows that came from level l-1
	count  []int
}

// Reset empties the tree for rows of the given width.
func (t *Tree[T]) Reset(op Op, width int) {
	t.op, t.width = op, width
	for i := range t.count {
		t.clear(i)
	}
	if len(t.levels) == 0 {
		t.grow()
	}
}

func (t *Tree[T]) grow() {
	t.levels, t.count = append(t.levels, make([]T, t.width)), append(t.count, 0)
	t.clear(len(t.levels) - 1)
}

func (t *Tree[T]) clear(level int) {
	if cap(t.levels[level]) < t.width {
		t.levels[level] = make([]T, t.width)
	}
	row := t.levels[level][:t.width]
	id := Identity[T](t.op)
	for i := range row {
		row[i] = id
	}
	t.levels[level], t.count[level] = row, 0
}

// Leaf is the row that takes the next result: the caller joins it there and then calls Next.
func (t *Tree[T]) Leaf() []T { return t.levels[0] }

// Next ends the joining of one result.
func (t *Tree[T]) Next() {
	for l := 0; ; l++ {
		t.count[l]++
		if t.count[l] < Fan {
			return
		}
		if l+1 == len(t.levels) {
			t.grow()
		}
		JoinRows(t.op, t.levels[l+1], t.levels[l])
		t.clear(l)
	}
}

// Result joins all levels, from the lowest, and gives the row, which stays valid until Reset.
func (t *Tree[T]) Result() []T {
	for l := range t.levels[1:] {
		JoinRows(t.op, t.levels[l+1], t.levels[l])
	}
	return t.levels[len(t.levels)-1]
}

// All reduces x of any length; shift is used by SumExp alone.
func All[T vec.Real](op Op, x []T, shift T) T {
	if len(x) <= Block {
		return One(op, x, shift)
	}
	h := half(len(x))
	return Join(op, All(op, x[:h], shift), All(op, x[h:], shift))
}

// half is about half of n, in whole blocks.
func half(n int) int { return (n/Block + 1) / 2 * Block }

// Dot is the sum of the products of the elements at the same place.
func Dot[T vec.Float](a, b []T) T {
	if len(a) > Block {
		h := half(len(a))
		return Dot(a[:h], b[:h]) + Dot(a[h:], b[h:])
	}
	var lanes [Lanes]T
	for ; len(a) >= Lanes; a, b = a[Lanes:], b[Lanes:] {
		for i := range lanes {
			lanes[i] += T(a[i] * b[i])
		}
	}
	for i := range a {
		lanes[i] += T(a[i] * b[i])
	}
	for n := Lanes / 2; n > 0; n /= 2 {
		JoinRows(Sum, lanes[:n], lanes[n:2*n])
	}
	return lanes[0]
}
