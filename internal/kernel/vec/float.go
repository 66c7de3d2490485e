package vec

import "math"

// Each is the kernel y = f(x), computed in float64 and rounded once.
func Each[T Float](f func(float64) float64) func(y []T, x [][]T) {
	return single(func(y, x []T) {
		for i, v := range x {
			y[i] = T(f(float64(v)))
		}
	})
}

// Pairs is the kernel y = f(a, b), computed in float64 and rounded once.
func Pairs[T Float](f func(a, b float64) float64) func(y []T, x [][]T) {
	return fold(func(y, a, b []T) {
		for i := range y {
			y[i] = T(f(float64(a[i]), float64(b[i])))
		}
	})
}

// ReluGrad is the kernel of dx for dy and the y of Relu: the slope at 0 is 0.
func ReluGrad[T Float](dx []T, x [][]T) { reluGrad(dx, x[0], x[1]) }

func reluGrad[T Float](dx, dy, y []T) {
	for i := range dx {
		d := dy[i]
		if !(y[i] > 0) {
			d = 0
		}
		dx[i] = d
	}
}

// SigmoidGrad is the kernel of dx for dy and the y of Sigmoid.
func SigmoidGrad[T Float](dx []T, x [][]T) {
	dy, y := x[0], x[1]
	for i := range dx {
		dx[i] = dy[i] * T(y[i]*(1-y[i]))
	}
}

// TanhGrad is the kernel of dx for dy and the y of Tanh.
func TanhGrad[T Float](dx []T, x [][]T) {
	dy, y := x[0], x[1]
	for i := range dx {
		dx[i] = dy[i] * (1 - T(y[i]*y[i]))
	}
}

// Mean divides the kernel of a sum by the number of inputs.
func Mean[T Float](y []T, x [][]T) {
	Arith[T](Add)(y, x)
	n := T(len(x))
	for i := range y {
		y[i] /= n
	}
}

// Sigmoid is 1 / (1 + e^-v).
func Sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

// Softplus is log(1 + e^v) without overflow.
func Softplus(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) }

// Gelu is v times the normal distribution function of v.
func Gelu(v float64) float64 { return 0.5 * v * math.Erfc(-v/math.Sqrt2) }

// GeluSlope is the derivative of Gelu.
func GeluSlope(v float64) float64 {
	return 0.5*math.Erfc(-v/math.Sqrt2) + float64(v*math.Exp(-v*v/2)/math.Sqrt(2*math.Pi))
}

// GeluTanh is the approximation of Gelu by a tanh.
func GeluTanh(v float64) float64 { return 0.5 * v * (1 + math.Tanh(geluInner(v))) }

// GeluTanhSlope is the derivative of GeluTanh.
func GeluTanhSlope(v float64) float64 {
	t := math.Tanh(geluInner(v))
	inner := math.Sqrt(2/math.Pi) * (1 + float64(3*0.044715*v*v))
	return 0.5*(1+t) + float64(0.5*v*(1-float64(t*t))*inner)
}

func geluInner(v float64) float64 { return math.Sqrt(2/math.Pi) * (v + float64(0.044715*v*v*v)) }
