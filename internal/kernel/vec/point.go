package vec

import "math"

// The functions of this file are activations of little arithmetic, of float32: y may be x. NaN stays NaN.

// Sqrt is the square root.
func (t *Table) Sqrt(y, x []float32) { t.sqrt(y, x[:len(y)]) }

// Clip is x, at least low and then at most high, which are no NaN.
func (t *Table) Clip(y, x []float32, low, high float32) { t.clip(y, x[:len(y)], [2]float32{low, high}) }

// LeakyRelu is x, times slope where x is negative.
func (t *Table) LeakyRelu(y, x []float32, slope float32) {
	t.leakyRelu(y, x[:len(y)], [1]float32{slope})
}

// HardSigmoid is alpha·x + beta, at least 0 and at most 1.
func (t *Table) HardSigmoid(y, x []float32, alpha, beta float32) {
	t.hardSigmoid(y, x[:len(y)], [4]float32{alpha, beta, 0, 1})
}

// HardSwish is x times its HardSigmoid.
func (t *Table) HardSwish(y, x []float32, alpha, beta float32) {
	t.hardSwish(y, x[:len(y)], [4]float32{alpha, beta, 0, 1})
}

func sqrt(y, x []float32) {
	for i, v := range x {
		y[i] = float32(math.Sqrt(float64(v)))
	}
}

func between(v, low, high float32) float32 { return atMost(atLeast(v, low), high) }

func clip(y, x []float32, c [2]float32) {
	for i, v := range x {
		y[i] = between(v, c[0], c[1])
	}
}

func leakyRelu(y, x []float32, c [1]float32) {
	for i, v := range x {
		if math.Signbit(float64(v)) {
			v *= c[0]
		}
		y[i] = v
	}
}

func hardSigmoid(y, x []float32, c [4]float32) {
	for i, v := range x {
		y[i] = between(float32(v*c[0])+c[1], c[2], c[3])
	}
}

func hardSwish(y, x []float32, c [4]float32) {
	for i, v := range x {
		y[i] = v * between(float32(v*c[0])+c[1], c[2], c[3])
	}
}
