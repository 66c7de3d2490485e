package gemm

import "math/big"

// exactFMA rounds a*b + c once, in arbitrary precision.
func exactFMA(a, b, c float32) float32 {
	exact := func(x float32) *big.Float { return new(big.Float).SetPrec(600).SetFloat64(float64(x)) }
	sum := exact(a)
	sum.Mul(sum, exact(b)).Add(sum, exact(c))
	f, _ := sum.Float32()
	return f
}
