package vec

// The functions of this file are what batch normalisation is made of. t counts for float32 only, and may be nil for float64.

// Deviations adds the square of x - mean to sixteen sums in float64, element i to sum i%16.
func Deviations[T Float](t *Table, s *[16]float64, x []T, mean float64) {
	if x, ok := any(x).([]float32); ok {
		x = x[t.deviations(s, x, mean):]
		deviations(s, x, mean)
		return
	}
	deviations(s, x, mean)
}

func deviations[T Float](s *[16]float64, x []T, mean float64) {
	for i, v := range x {
		d := float64(v) - mean
		s[i%16] += float64(d * d)
	}
}

// Products adds dy to sixteen sums in float64 and dy·(x - mean) to the next sixteen, element i to sum i%16.
func Products[T Float](t *Table, s *[32]float64, dy, x []T, mean float64) {
	x = x[:len(dy)]
	if dy32, ok := any(dy).([]float32); ok {
		done := t.products(s, dy32, any(x).([]float32), mean)
		dy, x = dy[done:], x[done:]
	}
	for i, d := range dy {
		s[i%16] += float64(d)
		s[16+i%16] += float64(float64(d) * (float64(x[i]) - mean))
	}
}

// Affine is y = a·x + d, the product rounded.
func Affine[T Float](t *Table, y, x []T, a, d T) {
	x = x[:len(y)]
	if y, ok := any(y).([]float32); ok {
		t.affine(y, any(x).([]float32), float32(a), float32(d))
		return
	}
	affine(y, x, a, d)
}

func affine[T Float](y, x []T, a, d T) {
	for i, v := range x {
		y[i] = T(a*v) + d
	}
}

// BatchGrad is dx = a·(dy - shift - (x - mean)·slope) in float64.
type BatchGrad struct{ A, Shift, Mean, Slope float64 }

// RunBatchGrad fills dx, which may be dy.
func RunBatchGrad[T Float](t *Table, g *BatchGrad, dx, dy, x []T) {
	dy, x = dy[:len(dx)], x[:len(dx)]
	if dx, ok := any(dx).([]float32); ok {
		t.batchGrad(g, dx, any(dy).([]float32), any(x).([]float32))
		return
	}
	runBatchGrad(g, dx, dy, x)
}

func runBatchGrad[T Float](g *BatchGrad, dx, dy, x []T) {
	for i, d := range dy {
		dx[i] = T(g.A * (float64(d) - g.Shift - float64((float64(x[i])-g.Mean)*g.Slope)))
	}
}
