// Package rnn runs recurrent layers over sequences, forward and backward through time: LSTM, GRU and the simple recurrence, as
// the standard's operators define them.
//
// The products with the input are one matrix product over all steps; each step adds its product with the state before. Sums
// over the batch are products too, so results do not depend on the number of threads.
package rnn

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Kind is a recurrence.
type Kind uint8

// Recurrences, with the order of their gates.
const (
	Simple Kind = iota // one gate
	GRU                // z, r, h
	LSTM               // i, o, f, c
)

// Gates is the number of gates.
func (k Kind) Gates() int { return [...]int{1, 3, 4}[k] }

// saved is how many rows of hidden size the forward pass saves for each step and sequence: the gates, of an LSTM the cell, of
// a GRU the recurrent part of its last gate. The simple recurrence needs its output alone.
func (k Kind) saved() int { return [...]int{0, 4, 5}[k] }

// Shape is the sizes of a layer. Rows of the input are [Steps, Batch] or, with BatchFirst, [Batch, Steps].
type Shape struct {
	Kind                        Kind
	Steps, Batch, Input, Hidden int
	Directions                  int
	BatchFirst                  bool
	LinearBeforeReset           bool // GRU
}

func (s *Shape) rows() int { return s.Steps * s.Batch }

// row is the row of a step and a sequence.
func (s *Shape) row(t, b int) int {
	if s.BatchFirst {
		return b*s.Steps + t
	}
	return t*s.Batch + b
}

// stepRows is where the rows of step t begin and how far they are apart.
func (s *Shape) stepRows(t int) (first, apart int) {
	if s.BatchFirst {
		return t, s.Steps
	}
	return t * s.Batch, 1
}

// state is where the state of a sequence in direction d begins: [Directions, Batch, Hidden] or [Batch, Directions, Hidden].
func (s *Shape) state(d, b int) int {
	if s.BatchFirst {
		return (b*s.Directions + d) * s.Hidden
	}
	return (d*s.Batch + b) * s.Hidden
}

// y is where the output of a step begins: [Steps, Directions, Batch, Hidden] or [Batch, Steps, Directions, Hidden].
func (s *Shape) y(t, d, b int) int {
	if s.BatchFirst {
		return ((b*s.Steps+t)*s.Directions + d) * s.Hidden
	}
	return ((t*s.Directions+d)*s.Batch + b) * s.Hidden
}

// Saved is the number of elements for each direction that the backward pass wants from the forward pass.
func (s *Shape) Saved() int { return s.rows() * s.Kind.saved() * s.Hidden }

// Layer is one recurrent layer. The slices are those of the operators: X; W, R, B and P for each direction; H0 and C0, Y, YH
// and YC. Those that may be absent are nil. A Layer is used by one goroutine at a time.
type Layer[T gemm.Float] struct {
	Shape
	Table   *gemm.Table[T]
	Reverse []bool            // for each direction
	Acts    [][]Activation[T] // for each direction
	Clip    T                 // of what activations see; 0: none
	Coupled bool              // LSTM: the forget gate is 1 minus the input gate
	Packed  bool              // W and R are the work of PackW and PackR, and Keep is nil

	X, W, R, B, P, H0, C0 []T
	Lens                  []int32 // of the sequences, between 0 and Steps; nil: all steps
	Y, YH, YC             []T
	Keep                  []T // Saved() elements for each direction; nil: not wanted

	// Of the backward pass: gradients of the outputs, nil for none, and of the inputs, nil for not wanted.
	DY, DYH, DYC                 []T
	DX, DW, DR, DB, DP, DH0, DC0 []T

	team    *parallel.Team
	d, t, n int // the direction and step at work, and the step's number in the direction
	phase   phase
	product []T // scratch of the products
	forward[T]
	backward[T]
	packedForward[T]
	stage func(l *Layer[T], b int)
}

// arena hands out parts of a slice; without one it only counts.
type arena[T any] struct {
	data []T
	used int
}

func (a *arena[T]) take(n int) []T {
	lo := a.used
	a.used += (n + 15) &^ 15
	if a.data == nil {
		return nil
	}
	return a.data[lo : lo+n : lo+n]
}

// gates is the width of the gates of one step.
func (l *Layer[T]) gates() int { return l.Kind.Gates() * l.Hidden }

// Tile does one sequence's work of the step.
func (l *Layer[T]) Tile(b int) { l.stage(l, b) }

// each runs a stage for all sequences.
func (l *Layer[T]) each(stage func(*Layer[T], int)) {
	l.stage = stage
	team := l.team
	if l.Batch*l.Hidden < 1<<11 {
		team = nil
	}
	team.Do(l.Batch, l)
}

// live reports whether step t belongs to sequence b.
func (l *Layer[T]) live(b int) bool { return l.Lens == nil || l.t < int(l.Lens[b]) }

// time is the step that is the n-th one in the direction at work.
func (l *Layer[T]) time(n int) int {
	if l.Reverse[l.d] {
		return l.Steps - 1 - n
	}
	return n
}

// of is the part of direction d of a tensor that has one part for each direction; nil stays nil.
func of[T any](data []T, d, size int) []T {
	if data == nil {
		return nil
	}
	return data[d*size : (d+1)*size]
}

// mul is a product on the layer's team with the layer's scratch.
func (l *Layer[T]) mul(m, n, k int, a, b gemm.Operand[T], c []T, ldc int, e gemm.Epilogue[T]) {
	if m > 0 && n > 0 {
		gemm.Mul(l.Table, l.team, m, n, k, a, b, c, ldc, e, l.product)
	}
}

// need is the scratch of a product.
func (l *Layer[T]) need(threads, m, n, k int, a, b gemm.Operand[T]) int {
	return gemm.Scratch(l.Table, threads, m, n, k, a, b)
}

func dense[T gemm.Float](data []T, stride int) gemm.Operand[T] {
	return gemm.Operand[T]{Data: data, Stride: max(stride, 1)}
}

func transposed[T gemm.Float](data []T, stride int) gemm.Operand[T] {
	return gemm.Operand[T]{Data: data, Stride: max(stride, 1), Trans: true}
}

func packed[T gemm.Float](data []T) gemm.Operand[T] { return gemm.Operand[T]{Data: data, Packed: true} }

// clip cuts v to what an activation may see.
func (l *Layer[T]) clip(v T) T {
	if c := l.Clip; c > 0 {
		return min(max(v, -c), c)
	}
	return v
}
