// Package attention computes scaled dot-product attention, Y = softmax(scale·Q·Kᵀ + bias)·V, and its gradients, head by head
// and for some rows of the queries at a time, so that no matrix of all scores exists.
//
// Work is shared among threads by outputs, so results do not depend on their number.
package attention

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// A tile computes rowsPerTile query rows, or where there are many heads as many as have tileScores scores.
const (
	rowsPerTile = 64
	tileScores  = 48 << 10
	manyHeads   = 8
)

// tileRows is the query rows of a tile: by sizes alone.
func (l *Layer[T]) tileRows() int {
	rows := rowsPerTile
	if l.Batch*l.QHeads >= manyHeads {
		rows = max(rows, tileScores/max(l.Keys, 1))
	}
	return min(rows, l.Queries)
}

// Heads is a tensor of heads: element d of position i of head h of sample b is at b·Batch + h·Head + i·Row + d.
type Heads[T gemm.Float] struct {
	Data             []T
	Batch, Head, Row int
}

func (h *Heads[T]) at(b, head, i int) int { return b*h.Batch + head*h.Head + i*h.Row }

// operand is the matrix of a head from position i on.
func (h *Heads[T]) operand(b, head, i int, trans bool) gemm.Operand[T] {
	return gemm.Operand[T]{Data: h.Data[min(h.at(b, head, i), len(h.Data)):], Stride: max(h.Row, 1), Trans: trans}
}

// Stage says which scores Scores receives.
type Stage int

// Stages of a score.
const (
	Raw     Stage = iota // scale·q·k
	Capped               // after softcap
	Biased               // after mask and bias
	Weights              // after softmax
)

// Layer is one attention. A Layer is used by one goroutine at a time.
type Layer[T gemm.Float] struct {
	Table                    *gemm.Table[T]
	Vec                      *vec.Table // for float32; nil: the best of this CPU
	Batch, QHeads, KVHeads   int        // QHeads is a multiple of KVHeads
	Queries, Keys, Dim, VDim int
	Scale, Softcap           T // no cap if Softcap is 0
	Causal                   bool
	Left, Right              int       // of the window; below 0: none
	Offset                   int       // position of the first query among the keys
	Lengths                  []int64   // keys that count, by sample; then the last query is at the last of them. May be nil
	Bias                     []T       // added to the scores; may be nil
	BiasStep                 [4]int    // its strides by sample, head, query, key
	BiasKeys                 int       // keys that it has; the others are masked
	Round                    func([]T) // to the type that tensors have, after each step; nil: none
	SoftmaxSteps             bool      // Round after each step of softmax too
	RoundSums                bool      // and after each addition of its sum; see steppedSum

	Q, K, V, Y Heads[T]
	Scores     []T // [Batch, QHeads, Queries, Keys]; may be nil
	Stage      Stage

	DY     Heads[T]
	DQ     Heads[T]
	DK, DV []T // [Batch, KVHeads, Keys, Dim] and VDim
	DBias  []T // [Batch, QHeads, Queries, Keys]; nil: not wanted

	scratch []T
	each    int
	back    bool
}

// sizes are the elements that one worker needs: scores, two more of those in the backward pass, and the products.
func (l *Layer[T]) sizes(back bool) (scores, product int) {
	rows := l.tileRows()
	need := func(m, n, k int, ta, tb bool) {
		o := func(t bool) gemm.Operand[T] { return gemm.Operand[T]{Stride: 1 << 20, Trans: t} }
		product = max(product, gemm.Scratch(l.Table, 1, m, n, k, o(ta), o(tb)))
	}
	need(rows, l.Keys, l.Dim, false, true)
	need(rows, l.VDim, l.Keys, false, false)
	if back {
		need(rows, l.Keys, l.VDim, false, true)
		need(rows, l.Dim, l.Keys, false, false)
		need(l.Keys, l.Dim, rows, true, false)
		need(l.Keys, l.VDim, rows, true, false)
	}
	return rows * l.Keys, product
}

// Scratch is the number of elements that Forward, or Backward, needs on a team of that many threads.
func (l *Layer[T]) Scratch(threads int, back bool) int {
	scores, product := l.sizes(back)
	n := scores + product
	if back {
		n += 2 * scores
	}
	return n * max(threads, 1)
}

// Forward computes Y and Scores.
func (l *Layer[T]) Forward(team *parallel.Team, scratch []T) {
	l.scratch, l.back = scratch, false
	l.each = l.Scratch(1, false)
	l.run(team, l.Batch*l.QHeads*l.blocks())
}

// Backward computes DQ, DK and DV.
func (l *Layer[T]) Backward(team *parallel.Team, scratch []T) {
	l.scratch, l.back = scratch, true
	l.each = l.Scratch(1, true)
	l.run(team, l.Batch*l.KVHeads)
}

func (l *Layer[T]) run(team *parallel.Team, tiles int) {
	if l.Vec == nil {
		l.Vec = vec.Best()
	}
	if l.Batch*l.QHeads*l.Queries*l.Keys*(l.Dim+l.VDim) < 1<<15 {
		team = nil
	}
	team.DoWorkers(tiles, l)
}

func (l *Layer[T]) blocks() int {
	rows := max(l.tileRows(), 1)
	return (l.Queries + rows - 1) / rows
}

// Tile does some rows of one head, or backwards all query heads of one head of keys.
func (l *Layer[T]) Tile(worker, i int) {
	scratch := l.scratch[worker*l.each : (worker+1)*l.each]
	scores, _ := l.sizes(l.back)
	if l.back {
		l.headBack(i/l.KVHeads, i%l.KVHeads, scratch[:scores], scratch[scores:2*scores], scratch[2*scores:3*scores], scratch[3*scores:])
		return
	}
	block, head := i%l.blocks(), i/l.blocks()
	b, h := head/l.QHeads, head%l.QHeads
	lo := block * l.tileRows()
	rows := min(l.tileRows(), l.Queries-lo)
	s := scratch[:rows*l.Keys]
	l.weights(b, h, lo, rows, s, scratch[scores:], l.Scores)
	y := l.Y.Data[l.Y.at(b, h, lo):]
	gemm.Mul(l.Table, nil, rows, l.VDim, l.Keys, gemm.Operand[T]{Data: s, Stride: max(l.Keys, 1)},
		l.V.operand(b, l.kvHead(h), 0, false), y, l.Y.Row, gemm.Epilogue[T]{}, scratch[scores:])
}

func (l *Layer[T]) kvHead(h int) int { return h / (l.QHeads / l.KVHeads) }

// weights fills s with the softmax of rows queries from lo on, and keeps what Stage asks for.
func (l *Layer[T]) weights(b, h, lo, rows int, s, scratch, keep []T) {
	gemm.Mul(l.Table, nil, rows, l.Keys, l.Dim, l.Q.operand(b, h, lo, false), l.K.operand(b, l.kvHead(h), 0, true),
		s, max(l.Keys, 1), gemm.Epilogue[T]{}, scratch)
	l.round(s)
	for r := range rows {
		row := s[r*l.Keys : (r+1)*l.Keys]
		var to []T
		if keep != nil {
			to = keep[((b*l.QHeads+h)*l.Queries+lo+r)*l.Keys:][:l.Keys]
		}
		l.row(b, h, lo+r, row, to)
	}
}

func (l *Layer[T]) round(s []T) {
	if l.Round != nil {
		l.Round(s)
	}
}

// row turns the products of one query into weights.
func (l *Layer[T]) row(b, h, i int, s, keep []T) {
	if s, ok := any(s).([]float32); ok && keep == nil && l.Round == nil && l.Softcap == 0 {
		l.quickRow(b, h, i, s)
		return
	}
	for j := range s {
		s[j] *= l.Scale
	}
	l.keep(Raw, keep, s)
	if c := l.Softcap; c != 0 {
		for j, v := range s {
			s[j] = c * T(math.Tanh(float64(v/c)))
		}
		l.round(s)
	}
	l.keep(Capped, keep, s)
	empty := l.mask(b, h, i, s)
	l.round(s)
	l.keep(Biased, keep, s)
	switch {
	case empty:
		clear(s)
	case l.Round != nil && l.SoftmaxSteps:
		l.steppedSoftmax(s)
	default:
		softmax(s)
		l.round(s)
	}
	l.keep(Weights, keep, s)
}

// quickRow is row by vectors.
func (l *Layer[T]) quickRow(b, h, i int, s []float32) {
	if l.Scale != 1 {
		vec.Affine(l.Vec, s, s, float32(l.Scale), 0)
	}
	lo, hi := l.span(b, i)
	if lo >= hi {
		clear(s)
		return
	}
	clear(s[:lo])
	clear(s[hi:])
	s = s[lo:hi]
	if l.Bias != nil {
		at := b*l.BiasStep[0] + h*l.BiasStep[1] + i*l.BiasStep[2] + lo*l.BiasStep[3]
		if !l.addBias(s, any(l.Bias).([]float32)[at:]) {
			clear(s)
			return
		}
	}
	l.Vec.Softmax(s, s)
}

// addBias adds a row of the bias; it reports whether that leaves any key.
func (l *Layer[T]) addBias(s, bias []float32) (some bool) {
	if l.BiasStep[3] == 0 {
		vec.Affine(l.Vec, s, s, 1, bias[0])
		return !math.IsInf(float64(bias[0]), -1)
	}
	bias = bias[:len(s)]
	l.Vec.Add(s, s, bias)
	return !math.IsInf(float64(l.Vec.Greatest(bias)), -1)
}

func (l *Layer[T]) keep(stage Stage, to, s []T) {
	if to != nil && l.Stage == stage {
		copy(to, s)
	}
}

// span is the keys from lo to hi-1, which query i may see.
func (l *Layer[T]) span(b, i int) (lo, hi int) {
	hi, at := l.Keys, i+l.Offset
	if l.Lengths != nil {
		n := int(min(max(l.Lengths[b], 0), int64(l.Keys)))
		hi, at = n, i+n-l.Queries
	}
	if l.Causal {
		hi = min(hi, at+1)
	}
	if l.Left >= 0 {
		lo = max(lo, at-l.Left)
	}
	if l.Right >= 0 && l.Right < l.Keys {
		hi = min(hi, at+l.Right+1)
	}
	if l.Bias != nil {
		hi = min(hi, l.BiasKeys)
	}
	return min(lo, l.Keys), max(hi, 0)
}

// mask adds the bias to the scores of a query and sets those of masked keys to minus infinity; empty says that no key is left.
func (l *Layer[T]) mask(b, h, i int, s []T) (empty bool) {
	never := T(math.Inf(-1))
	lo, hi := l.span(b, i)
	empty = true
	for j := range s {
		if j < lo || j >= hi {
			s[j] = never
			continue
		}
		if l.Bias == nil {
			empty = false
			continue
		}
		v := l.Bias[b*l.BiasStep[0]+h*l.BiasStep[1]+i*l.BiasStep[2]+j*l.BiasStep[3]]
		if v == never {
			s[j] = never
			continue
		}
		s[j] += v
		empty = false
	}
	return empty
}

// softmax is e^x divided by its sum, without overflow.
func softmax[T gemm.Float](s []T) {
	top := T(math.Inf(-1))
	for _, v := range s {
		top = max(top, v)
	}
	sum := 0.0
	for j, v := range s {
		e := T(math.Exp(float64(v - top)))
		s[j] = e
		sum += float64(e)
	}
	d := T(1 / sum)
	for j := range s {
		s[j] *= d
	}
}

// steppedSoftmax is softmax with the results of each step rounded.
func (l *Layer[T]) steppedSoftmax(s []T) {
	top := T(math.Inf(-1))
	for _, v := range s {
		top = max(top, v)
	}
	for j := range s {
		s[j] -= top
	}
	l.Round(s)
	for j, v := range s {
		s[j] = T(math.Exp(float64(v)))
	}
	l.Round(s)
	sum := [1]T{l.steppedSum(s)}
	l.Round(sum[:])
	for j := range s {
		s[j] /= sum[0]
	}
	l.Round(s)
}

// roundedTerms is how many terms of a sum are rounded one by one: as in a body that rounds each addition, where rows are that
// short. The parts of longer rows are added without, else a long sum would stand still.
const roundedTerms = 16

// steppedSum is the sum of s, with RoundSums rounded after each addition within parts of roundedTerms.
func (l *Layer[T]) steppedSum(s []T) T {
	sum := T(0)
	for len(s) > 0 {
		n := min(roundedTerms, len(s))
		var part [1]T
		for _, v := range s[:n] {
			if part[0] += v; l.RoundSums {
				l.Round(part[:])
			}
		}
		sum, s = sum+part[0], s[n:]
	}
	return sum
}
