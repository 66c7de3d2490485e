package attention

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
)

// headBack computes the gradients of one head of keys and of the query heads that share it. With P the weights, dP = dY·Vᵀ and
// dS = P·(dP - Σ P·dP): dQ = scale·dS·K, dK = scale·dSᵀ·Q, dV = Pᵀ·dY.
func (l *Layer[T]) headBack(b, kv int, p, ds, raw, scratch []T) {
	dk := l.DK[(b*l.KVHeads+kv)*l.Keys*l.Dim:][:l.Keys*l.Dim]
	dv := l.DV[(b*l.KVHeads+kv)*l.Keys*l.VDim:][:l.Keys*l.VDim]
	clear(dk)
	clear(dv)
	sum := gemm.Epilogue[T]{Start: gemm.FromC}
	wide := max(l.Keys, 1)
	group := l.QHeads / l.KVHeads
	for h := kv * group; h < (kv+1)*group; h++ {
		for lo := 0; lo < l.Queries; lo += l.tileRows() {
			rows := min(l.tileRows(), l.Queries-lo)
			p, ds := p[:rows*l.Keys], ds[:rows*l.Keys]
			l.cappedWeights(b, h, lo, rows, p, raw, scratch)
			dy := l.DY.operand(b, h, lo, false)
			gemm.Mul(l.Table, nil, rows, l.Keys, l.VDim, dy, l.V.operand(b, kv, 0, true), ds, wide, gemm.Epilogue[T]{}, scratch)
			for r := range rows {
				var bias []T
				if l.DBias != nil {
					bias = l.DBias[((b*l.QHeads+h)*l.Queries+lo+r)*l.Keys:][:l.Keys]
				}
				l.rowBack(p[r*l.Keys:(r+1)*l.Keys], ds[r*l.Keys:(r+1)*l.Keys], raw[r*l.Keys:(r+1)*l.Keys], bias)
			}
			gemm.Mul(l.Table, nil, rows, l.Dim, l.Keys, gemm.Operand[T]{Data: ds, Stride: wide}, l.K.operand(b, kv, 0, false),
				l.DQ.Data[l.DQ.at(b, h, lo):], max(l.DQ.Row, 1), gemm.Epilogue[T]{}, scratch)
			gemm.Mul(l.Table, nil, l.Keys, l.Dim, rows, gemm.Operand[T]{Data: ds, Stride: wide, Trans: true}, l.Q.operand(b, h, lo, false),
				dk, max(l.Dim, 1), sum, scratch)
			gemm.Mul(l.Table, nil, l.Keys, l.VDim, rows, gemm.Operand[T]{Data: p, Stride: wide, Trans: true}, dy, dv, max(l.VDim, 1), sum, scratch)
		}
	}
}

// cappedWeights is weights, and with Softcap the slope of the cap at each score in raw.
func (l *Layer[T]) cappedWeights(b, h, lo, rows int, p, raw, scratch []T) {
	l.weights(b, h, lo, rows, p, scratch, nil)
	if l.Softcap == 0 {
		return
	}
	raw = raw[:rows*l.Keys]
	gemm.Mul(l.Table, nil, rows, l.Keys, l.Dim, l.Q.operand(b, h, lo, false), l.K.operand(b, l.kvHead(h), 0, true),
		raw, max(l.Keys, 1), gemm.Epilogue[T]{}, scratch)
	for i, v := range raw {
		t := math.Tanh(float64(v * l.Scale / l.Softcap))
		raw[i] = T(1 - t*t)
	}
}

// rowBack turns the gradient of weights p in ds into that of the products; that of the bias goes to bias where not nil.
func (l *Layer[T]) rowBack(p, ds, slope, bias []T) {
	dot := 0.0
	for j, v := range p {
		dot += float64(v) * float64(ds[j])
	}
	for j, v := range p {
		d := v * (ds[j] - T(dot))
		if bias != nil {
			bias[j] = d
		}
		ds[j] = d * l.Scale
		if l.Softcap != 0 {
			ds[j] *= slope[j]
		}
	}
}
