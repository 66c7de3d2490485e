package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/onnx"
)

// svmKernel is how a support vector machine compares two vectors.
func svmKernel(n *onnx.Node, name string) (func(x, v []float64) float64, error) {
	p := floatsAttr(n, "kernel_params")
	for len(p) < 3 {
		p = append(p, 0)
	}
	gamma, coef, degree := p[0], p[1], p[2]
	switch name {
	case "LINEAR":
		return dot, nil
	case "POLY":
		return func(x, v []float64) float64 { return math.Pow(float64(gamma*dot(x, v))+coef, degree) }, nil
	case "SIGMOID":
		return func(x, v []float64) float64 { return math.Tanh(float64(gamma*dot(x, v)) + coef) }, nil
	case "RBF":
		return func(x, v []float64) float64 {
			sum := 0.0
			for i, a := range x {
				sum += float64((a - v[i]) * (a - v[i]))
			}
			return math.Exp(-gamma * sum)
		}, nil
	}
	return nil, onnx.Invalidf("attribute kernel_type: expected LINEAR, POLY, RBF or SIGMOID, received %.128q", name)
}

// supportVectors compares x with n support vectors that lie one behind the other.
func supportVectors(y, x, vectors []float64, kernel func(x, v []float64) float64) {
	for j := range y {
		y[j] = kernel(x, vectors[j*len(x):(j+1)*len(x)])
	}
}

// pairProbabilities makes probabilities of classes from those of the classes in pairs: p[i*k+j] is that of class i against j
// (Wu, Lin and Weng, "Probability estimates for multi-class classification by pairwise coupling", 2004, second method).
func pairProbabilities(k int, p []float64) []float64 {
	q, qp, out := make([]float64, k*k), make([]float64, k), make([]float64, k)
	for t := range k {
		out[t] = 1 / float64(k)
		for j := range k {
			if j != t {
				q[t*k+t] += float64(p[j*k+t] * p[j*k+t])
				q[t*k+j] = -p[j*k+t] * p[t*k+j]
			}
		}
	}
	for range max(100, k) {
		sum := 0.0
		for t := range k {
			qp[t] = dot(out, q[t*k:])
			sum += float64(out[t] * qp[t])
		}
		worst := 0.0
		for t := range k {
			worst = max(worst, math.Abs(qp[t]-sum))
		}
		if worst < 0.005/float64(k) {
			break
		}
		for t := range k {
			d := (sum - qp[t]) / q[t*k+t]
			out[t] += d
			sum = (sum + float64(d*(float64(d*q[t*k+t])+2*qp[t]))) / (1 + d) / (1 + d)
			for j := range k {
				qp[j] = (qp[j] + float64(d*q[t*k+j])) / (1 + d)
				out[j] /= 1 + d
			}
		}
	}
	return out
}
