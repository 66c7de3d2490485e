// Package norm normalises: forward and backward passes over slices. Sums run in float64 in one fixed order, so results do
// not depend on the number of threads.
package norm

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Float is the types that are normalised.
type Float interface{ float32 | float64 }

// Shape is a tensor [N, C, Inner]: Inner is the product of the dims behind the channels.
type Shape struct{ N, C, Inner int }

// Batch is batch normalisation of a tensor by channels. The fields that a method needs are set before; each slice of
// statistics or parameters has C elements. A Batch is used by one goroutine at a time and allocates nothing.
type Batch[T Float] struct {
	Shape
	X, Y, DY, DX        []T // tensors; Y may be X, DX may be DY
	Scale, Bias         []T
	Mean, Var           []T // running statistics: read by Infer and InferBackward, blended by Train
	NewMean, NewVar     []T // results of Train; may be nil
	SavedMean, SavedInv []T // mean and 1/√(variance+ε) of the batch: made by Train, read by TrainBackward
	DScale, DBias       []T // results of the backward passes; may be nil
	Momentum, Epsilon   float64
	Table               *vec.Table // nil: the best of this CPU
	stage               stage
}

// stage is which pass is running.
type stage uint8

const (
	inferForward stage = iota
	trainForward
	inferBackward
	trainBackward
)

// Tile does the work of one channel.
func (b *Batch[T]) Tile(c int) {
	switch b.stage {
	case inferForward:
		b.inferChannel(c)
	case trainForward:
		b.trainChannel(c)
	case inferBackward:
		b.inferBackwardChannel(c)
	case trainBackward:
		b.trainBackwardChannel(c)
	}
}

func (b *Batch[T]) run(team *parallel.Team, s stage) {
	b.stage = s
	if b.Table == nil {
		b.Table = vec.Best()
	}
	if b.N*b.C*b.Inner < 1<<14 {
		team = nil
	}
	team.Do(b.C, b)
}

// Infer computes Y = Scale·(X - Mean)/√(Var + ε) + Bias.
func (b *Batch[T]) Infer(team *parallel.Team) { b.run(team, inferForward) }

// Train computes Y from the batch's own statistics (population variance) and sets NewMean and NewVar to
// Momentum·old + (1-Momentum)·batch where not nil.
func (b *Batch[T]) Train(team *parallel.Team) { b.run(team, trainForward) }

// InferBackward computes DX, DScale and DBias for Infer.
func (b *Batch[T]) InferBackward(team *parallel.Team) { b.run(team, inferBackward) }

// TrainBackward computes DX, DScale and DBias for Train; it computes the statistics of X again.
func (b *Batch[T]) TrainBackward(team *parallel.Team) { b.run(team, trainBackward) }

// span is where the elements of channel c of sample n stand.
func (b *Batch[T]) span(n, c int) (from, to int) {
	from = (n*b.C + c) * b.Inner
	return from, from + b.Inner
}

// affine sets Y = a·X + d for channel c.
func (b *Batch[T]) affine(c int, a, d T) {
	for n := range b.N {
		i, j := b.span(n, c)
		vec.Affine(b.Table, b.Y[i:j], b.X[i:j], a, d)
	}
}

func (b *Batch[T]) inferChannel(c int) {
	a := float64(b.Scale[c]) / math.Sqrt(float64(b.Var[c])+b.Epsilon)
	b.affine(c, T(a), T(float64(b.Bias[c])-float64(b.Mean[c])*a))
}

// moments are mean and population variance of channel c.
func (b *Batch[T]) moments(c int) (mean, variance float64) {
	count := float64(b.N * b.Inner)
	var s [16]float64
	for n := range b.N {
		i, j := b.span(n, c)
		vec.Sums(b.Table, &s, b.X[i:j])
	}
	mean = vec.Tree(&s) / count
	s = [16]float64{}
	for n := range b.N {
		i, j := b.span(n, c)
		vec.Deviations(b.Table, &s, b.X[i:j], mean)
	}
	return mean, vec.Tree(&s) / count
}

func (b *Batch[T]) trainChannel(c int) {
	mean, variance := b.moments(c)
	inv := 1 / math.Sqrt(variance+b.Epsilon)
	a := float64(b.Scale[c]) * inv
	if b.NewMean != nil {
		b.NewMean[c] = blend(b.Mean[c], mean, b.Momentum)
	}
	if b.NewVar != nil {
		b.NewVar[c] = blend(b.Var[c], variance, b.Momentum)
	}
	b.affine(c, T(a), T(float64(b.Bias[c])-mean*a))
}

func blend[T Float](old T, fresh, momentum float64) T {
	return T(float64(old)*momentum + fresh*(1-momentum))
}

// sums are Σ dy and Σ dy·(x - mean) of channel c.
func (b *Batch[T]) sums(c int, mean float64) (dy, dyx float64) {
	var s [32]float64
	for n := range b.N {
		i, j := b.span(n, c)
		vec.Products(b.Table, &s, b.DY[i:j], b.X[i:j], mean)
	}
	return vec.Tree((*[16]float64)(s[:16])), vec.Tree((*[16]float64)(s[16:]))
}

func (b *Batch[T]) store(c int, dscale, dbias float64) {
	if b.DScale != nil {
		b.DScale[c] = T(dscale)
	}
	if b.DBias != nil {
		b.DBias[c] = T(dbias)
	}
}

func (b *Batch[T]) inferBackwardChannel(c int) {
	mean, inv := float64(b.Mean[c]), 1/math.Sqrt(float64(b.Var[c])+b.Epsilon)
	if b.DScale != nil || b.DBias != nil {
		dy, dyx := b.sums(c, mean)
		b.store(c, dyx*inv, dy)
	}
	if b.DX == nil {
		return
	}
	a := T(float64(b.Scale[c]) * inv)
	for n := range b.N {
		i, j := b.span(n, c)
		dx := b.DX[i:j]
		for k, d := range b.DY[i:j] {
			dx[k] = d * a
		}
	}
}

// trainBackwardChannel: dx = scale·inv·(dy - mean(dy) - x̂·mean(dy·x̂)) with x̂ = (x - mean)·inv.
func (b *Batch[T]) trainBackwardChannel(c int) {
	mean, variance := b.moments(c)
	inv := 1 / math.Sqrt(variance+b.Epsilon)
	dy, dyx := b.sums(c, mean)
	b.store(c, dyx*inv, dy)
	if b.DX == nil {
		return
	}
	count := float64(b.N * b.Inner)
	a := float64(b.Scale[c]) * inv
	g := vec.BatchGrad{A: a, Shift: dy / count, Mean: mean, Slope: dyx * inv * inv / count}
	for n := range b.N {
		i, j := b.span(n, c)
		vec.RunBatchGrad(b.Table, &g, b.DX[i:j], b.DY[i:j], b.X[i:j])
	}
}
