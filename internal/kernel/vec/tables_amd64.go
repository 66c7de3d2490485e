//go:build amd64 && !purego

package vec

import "github.com/gneiss-ml/gneiss/internal/cpu"

var (
	avx512 = Table{
		Level: cpu.AVX512,
		add:   ternary(f32AddAVX512), sub: ternary(f32SubAVX512), mul: ternary(f32MulAVX512), div: ternary(f32DivAVX512),
		relu:     func(y, x []float32) { f32ReluAVX512(len(y), y, x[:len(y)]) },
		reluGrad: ternary(f32ReluGradAVX512),
		min:      ternary(f32MinAVX512), max: ternary(f32MaxAVX512),
		abs: func(y, x []float32) { f32AbsAVX512(len(y), y, x[:len(y)]) },
		neg: func(y, x []float32) { f32NegAVX512(len(y), y, x[:len(y)]) },
		functions: [...]functionKernel{
			ExpOf:      functionBy(f32ExpAVX512),
			SigmoidOf:  functionBy(f32SigmoidAVX512),
			SwishOf:    functionBy(f32SiluAVX512),
			TanhOf:     functionBy(f32TanhAVX512),
			GeluOf:     functionBy(f32GeluAVX512),
			GeluTanhOf: functionBy(f32GeluTanhAVX512),
			ErfOf:      functionBy(f32ErfAVX512),
		},
		swish: func(y, x []float32, c *[cEnd]float64) { f32SwishAVX512(len(y), y, x[:len(y)], c[:]) },
	}
	avx2 = Table{
		Level: cpu.AVX2,
		add:   ternary(f32AddAVX2), sub: ternary(f32SubAVX2), mul: ternary(f32MulAVX2), div: ternary(f32DivAVX2),
		relu:     func(y, x []float32) { f32ReluAVX2(len(y), y, x[:len(y)]) },
		reluGrad: ternary(f32ReluGradAVX2),
		min:      ternary(f32MinAVX2), max: ternary(f32MaxAVX2),
		abs: func(y, x []float32) { f32AbsAVX2(len(y), y, x[:len(y)]) },
		neg: func(y, x []float32) { f32NegAVX2(len(y), y, x[:len(y)]) },
		functions: [...]functionKernel{
			ExpOf:      functionBy(f32ExpAVX2),
			SigmoidOf:  functionBy(f32SigmoidAVX2),
			SwishOf:    functionBy(f32SiluAVX2),
			TanhOf:     functionBy(f32TanhAVX2),
			GeluOf:     functionBy(f32GeluAVX2),
			GeluTanhOf: functionBy(f32GeluTanhAVX2),
			ErfOf:      functionBy(f32ErfAVX2),
		},
		swish: func(y, x []float32, c *[cEnd]float64) { f32SwishAVX2(len(y), y, x[:len(y)], c[:]) },
	}
)

func tableOf(level cpu.Level) *Table {
	switch level {
	case cpu.AVX512:
		return &avx512
	case cpu.AVX2:
		return &avx2
	}
	return &generic
}

func ternary(f func(n int, y, a, b []float32)) func(y, a, b []float32) {
	return func(y, a, b []float32) { f(len(y), y, a[:len(y)], b[:len(y)]) }
}

func functionBy(f func(n int, y, x, c []float32)) functionKernel {
	return func(y, x []float32) { f(len(y), y, x[:len(y)], narrow[:]) }
}

// The kernels below take pointers to what their callers keep on the stack, which a call through the table would move to the
// heap.

func (t *Table) sums(s *[16]float64, x []float32) {
	switch t.Level {
	case cpu.AVX512:
		f32SumsAVX512(len(x), s[:], x)
	case cpu.AVX2:
		f32SumsAVX2(len(x), s[:], x)
	default:
		sums(s, x)
	}
}

// sgd is a step without decay.
func (t *Table) sgd(s *SGD[float32], w, g []float32) {
	n, c := len(w), [2]float32{s.Scale, s.LR}
	switch t.Level {
	case cpu.AVX512:
		f32SGDAVX512(n, w, g[:n], c[:])
	case cpu.AVX2:
		f32SGDAVX2(n, w, g[:n], c[:])
	default:
		s.step(w, g)
	}
}

// adam is a step without decay.
func (t *Table) adam(s *Adam[float32], w, m, v, g []float32) {
	n := len(w)
	m, v, g = m[:n], v[:n], g[:n]
	c := [7]float32{s.Scale, s.OneBeta1, s.Beta2, s.OneBeta2, s.Rate, s.Root, s.Epsilon}
	switch {
	case t.Level == cpu.AVX512 && s.Keras:
		f32AdamKerasAVX512(n, w, m, v, g, c[:])
	case t.Level == cpu.AVX512:
		f32AdamPyTorchAVX512(n, w, m, v, g, c[:])
	case t.Level == cpu.AVX2 && s.Keras:
		f32AdamKerasAVX2(n, w, m, v, g, c[:])
	case t.Level == cpu.AVX2:
		f32AdamPyTorchAVX2(n, w, m, v, g, c[:])
	default:
		s.step(w, m, v, nil, g)
	}
}

// deviations adds most elements and returns how many.
func (t *Table) deviations(s *[16]float64, x []float32, mean float64) int {
	n, c := len(x)&^15, [1]float64{mean}
	switch t.Level {
	case cpu.AVX512:
		f32DeviationsAVX512(n, s[:], x, c[:])
	case cpu.AVX2:
		f32DeviationsAVX2(n, s[:], x, c[:])
	default:
		return 0
	}
	return n
}

// products adds most elements and returns how many.
func (t *Table) products(s *[32]float64, dy, x []float32, mean float64) int {
	n, c := len(dy)&^15, [1]float64{mean}
	switch t.Level {
	case cpu.AVX512:
		f32ProductsAVX512(n, s[:], dy, x, c[:])
	case cpu.AVX2:
		f32ProductsAVX2(n, s[:], dy, x, c[:])
	default:
		return 0
	}
	return n
}

func (t *Table) affine(y, x []float32, a, d float32) {
	c := [2]float32{a, d}
	switch t.Level {
	case cpu.AVX512:
		f32AffineAVX512(len(y), y, x, c[:])
	case cpu.AVX2:
		f32AffineAVX2(len(y), y, x, c[:])
	default:
		affine(y, x, a, d)
	}
}

func (t *Table) batchGrad(g *BatchGrad, dx, dy, x []float32) {
	c := [4]float64{g.A, g.Shift, g.Mean, g.Slope}
	switch t.Level {
	case cpu.AVX512:
		f32BatchGradAVX512(len(dx), dx, dy, x, c[:])
	case cpu.AVX2:
		f32BatchGradAVX2(len(dx), dx, dy, x, c[:])
	default:
		runBatchGrad(g, dx, dy, x)
	}
}

func (t *Table) greatest(x []float32) float32 {
	switch t.Level {
	case cpu.AVX512:
		return f32GreatestAVX512(len(x), x)
	case cpu.AVX2:
		return f32GreatestAVX2(len(x), x)
	}
	return greatest(x)
}

func (t *Table) expSum(y, x []float32, shift float32) float32 {
	switch t.Level {
	case cpu.AVX512:
		return f32ExpSumAVX512(len(y), y, x, narrow[:], shift)
	case cpu.AVX2:
		return f32ExpSumAVX2(len(y), y, x, narrow[:], shift)
	}
	return expSum(y, x, shift)
}

func (t *Table) normal(y, x, scale, bias []float32, c [4]float32) {
	n := len(y)
	switch {
	case t.Level == cpu.AVX512 && bias == nil:
		f32NormalScaleAVX512(n, y, x, scale, c[:])
	case t.Level == cpu.AVX512:
		f32NormalAVX512(n, y, x, scale, bias, c[:])
	case t.Level == cpu.AVX2 && bias == nil:
		f32NormalScaleAVX2(n, y, x, scale, c[:])
	case t.Level == cpu.AVX2:
		f32NormalAVX2(n, y, x, scale, bias, c[:])
	default:
		normal(y, x, scale, bias, c)
	}
}

func (t *Table) normalWhole(y, x []float32, c [4]float32) {
	switch t.Level {
	case cpu.AVX512:
		f32NormalWholeAVX512(len(y), y, x, c[:])
	case cpu.AVX2:
		f32NormalWholeAVX2(len(y), y, x, c[:])
	default:
		normalWhole(y, x, c)
	}
}

func (t *Table) sqrt(y, x []float32) {
	switch t.Level {
	case cpu.AVX512:
		f32SqrtAVX512(len(y), y, x)
	case cpu.AVX2:
		f32SqrtAVX2(len(y), y, x)
	default:
		sqrt(y, x)
	}
}

func (t *Table) clip(y, x []float32, c [2]float32) {
	switch t.Level {
	case cpu.AVX512:
		f32ClipAVX512(len(y), y, x, c[:])
	case cpu.AVX2:
		f32ClipAVX2(len(y), y, x, c[:])
	default:
		clip(y, x, c)
	}
}

func (t *Table) leakyRelu(y, x []float32, c [1]float32) {
	switch t.Level {
	case cpu.AVX512:
		f32LeakyReluAVX512(len(y), y, x, c[:])
	case cpu.AVX2:
		f32LeakyReluAVX2(len(y), y, x, c[:])
	default:
		leakyRelu(y, x, c)
	}
}

func (t *Table) hardSigmoid(y, x []float32, c [4]float32) {
	switch t.Level {
	case cpu.AVX512:
		f32HardSigmoidAVX512(len(y), y, x, c[:])
	case cpu.AVX2:
		f32HardSigmoidAVX2(len(y), y, x, c[:])
	default:
		hardSigmoid(y, x, c)
	}
}

func (t *Table) hardSwish(y, x []float32, c [4]float32) {
	switch t.Level {
	case cpu.AVX512:
		f32HardSwishAVX512(len(y), y, x, c[:])
	case cpu.AVX2:
		f32HardSwishAVX2(len(y), y, x, c[:])
	default:
		hardSwish(y, x, c)
	}
}
