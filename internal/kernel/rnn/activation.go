package rnn

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
)

// Activation is a function that a gate goes through. Slope is its derivative as a function of its result; both are given in
// float64.
type Activation[T gemm.Float] struct {
	At, Slope func(float64) float64
	// All computes At, rounded, for many; nil: one by one.
	All func(y, x []float32)
	// Low and High are its values at the bounds of clipping, where the slope is 0; NaN without clipping.
	Low, High T
}

// bounded makes a know the bounds of clipping.
func bounded[T gemm.Float](a Activation[T], clip T) Activation[T] {
	a.Low, a.High = T(math.NaN()), T(math.NaN())
	if clip > 0 {
		a.Low, a.High = a.at(-clip), a.at(clip)
	}
	return a
}

// all replaces x, cut to clip if that is positive, by the function of it.
func (a *Activation[T]) all(x []T, clip T) {
	if clip > 0 {
		for i, v := range x {
			x[i] = min(max(v, -clip), clip)
		}
	}
	if x, ok := any(x).([]float32); ok && a.All != nil {
		a.All(x, x)
		return
	}
	for i, v := range x {
		x[i] = a.at(v)
	}
}

func (a *Activation[T]) at(x T) T { return T(a.At(float64(x))) }

// slope is the derivative where the result is y.
func (a *Activation[T]) slope(y T) T {
	if y == a.Low || y == a.High {
		return 0
	}
	return T(a.Slope(float64(y)))
}

// Sigmoid is 1/(1+e^-x).
func Sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// SigmoidSlope is the derivative of Sigmoid by its result.
func SigmoidSlope(y float64) float64 { return y * (1 - y) }

// TanhSlope is the derivative of tanh by its result.
func TanhSlope(y float64) float64 { return 1 - y*y }
