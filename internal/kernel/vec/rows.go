package vec

import "math"

// The functions of this file are what Softmax and the normalisations of rows are made of.

// rowBlock is how many elements sixteen lanes add up before the sums of blocks are joined.
const rowBlock = 1024

// Add is y = a + b; y may be one of them.
func (t *Table) Add(y, a, b []float32) { t.add(y, a, b) }

// Greatest is the greatest element of x, of which there is at least one; any number if one of them is NaN.
func (t *Table) Greatest(x []float32) float32 { return t.greatest(x) }

func greatest(x []float32) float32 {
	m := x[0]
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m
}

// ExpSum is y = e^(x - shift), where no x is above shift, and returns the sum of y. y may be x. The sum's order depends on the
// length alone: sixteen lanes and a tree in blocks of 1024, which are joined by halves.
func (t *Table) ExpSum(y, x []float32, shift float32) float32 {
	if len(y) <= rowBlock {
		return t.expSum(y, x[:len(y)], shift)
	}
	h := (len(y)/rowBlock + 1) / 2 * rowBlock
	return t.ExpSum(y[:h], x[:h], shift) + t.ExpSum(y[h:], x[h:], shift)
}

func expSum(y, x []float32, shift float32) float32 {
	var s [16]float32
	for i, v := range x[:len(y)] {
		y[i] = expAtMost(v - shift)
		s[i%16] += y[i]
	}
	for n := 8; n > 0; n /= 2 {
		for i := range n {
			s[i] += s[i+n]
		}
	}
	return s[0]
}

// Softmax is e^x divided by the sum of all; y may be x. A row with NaN, or of minus infinities, gives NaN.
func (t *Table) Softmax(y, x []float32) {
	if len(y) == 0 {
		return
	}
	sum := t.ExpSum(y, x, t.Greatest(x))
	t.affine(y, y, 1/sum, 0)
}

// LogSoftmax is the logarithm of Softmax; y may be x.
func (t *Table) LogSoftmax(y, x []float32) {
	if len(y) == 0 {
		return
	}
	m := t.Greatest(x)
	log := float32(math.Log(t.expSums(x[:len(y)], m)))
	for i, v := range x[:len(y)] {
		y[i] = v - m - log
	}
}

// expSums is the sum of e^(x - shift) with the powers in a buffer.
func (t *Table) expSums(x []float32, shift float32) float64 {
	var buffer [256]float32
	sum := 0.0
	for len(x) > 0 {
		n := min(len(x), len(buffer))
		sum += float64(t.expSum(buffer[:n], x[:n], shift))
		x = x[n:]
	}
	return sum
}

// Normal is y = (x - mean)·inv·scale + bias; bias may be nil. float32 computes in float32, with the mean in two parts so that it
// may be far greater than the deviation. t counts for float32 only, and may be nil for float64.
func Normal[T Float](t *Table, y, x, scale, bias []T, mean, inv float64) {
	x, scale = x[:len(y)], scale[:len(y)]
	if bias != nil {
		bias = bias[:len(y)]
	}
	if y, ok := any(y).([]float32); ok {
		t.normal(y, any(x).([]float32), any(scale).([]float32), any(bias).([]float32), parts(mean, inv, 0))
		return
	}
	for i, v := range x {
		d := (float64(v) - mean) * inv * float64(scale[i])
		if bias != nil {
			d += float64(bias[i])
		}
		y[i] = T(d)
	}
}

// NormalWhole is Normal with one scale and one bias for all of x.
func NormalWhole[T Float](t *Table, y, x []T, mean, a, bias float64) {
	x = x[:len(y)]
	if y, ok := any(y).([]float32); ok {
		t.normalWhole(y, any(x).([]float32), parts(mean, a, bias))
		return
	}
	for i, v := range x {
		y[i] = T(float64((float64(v)-mean)*a) + bias)
	}
}

// parts are the mean, what it lost when it was rounded, a factor and a bias.
func parts(mean, factor, bias float64) [4]float32 {
	high := float32(mean)
	low := float32(mean - float64(high))
	if low != low {
		low = 0 // the mean is infinite
	}
	return [4]float32{high, low, float32(factor), float32(bias)}
}

func normal(y, x, scale, bias []float32, c [4]float32) {
	for i, v := range x {
		d := float32((v - c[0] - c[1]) * c[2])
		if bias == nil {
			y[i] = d * scale[i]
		} else {
			y[i] = fma(d, scale[i], bias[i])
		}
	}
}

func normalWhole(y, x []float32, c [4]float32) {
	for i, v := range x {
		y[i] = fma(v-c[0]-c[1], c[2], c[3])
	}
}
