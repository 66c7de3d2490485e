package blocked

import "github.com/gneiss-ml/gneiss/internal/kernel/gemm"

// The plain table defines what the assembly computes.
var genericWinograd = winogradTable{
	rows: 6, width: Lanes,
	product: f32WinogradGeneric, narrow: f32WinogradGeneric,
	inRows: f32WinogradInRowsGeneric, inCols: f32WinogradInColsGeneric,
	outCols: f32WinogradOutColsGeneric, outRows: f32WinogradOutRowsGeneric,
}

// winogradIn evaluates Bt d.
func winogradIn(d *[winogradPoints]float32) [winogradPoints]float32 {
	const a, b = winogradA, winogradB
	t0, t1 := gemm.FMA32(-b*b, d[2], d[4]), gemm.FMA32(-b*b, d[1], d[3])
	t2, t3 := gemm.FMA32(-a*a, d[2], d[4]), gemm.FMA32(-a*a, d[1], d[3])
	return [winogradPoints]float32{
		gemm.FMA32(a*a*b*b, d[0], gemm.FMA32(-a*a-b*b, d[2], d[4])),
		gemm.FMA32(a, t1, t0), gemm.FMA32(-a, t1, t0),
		gemm.FMA32(b, t3, t2), gemm.FMA32(-b, t3, t2),
		gemm.FMA32(a*a*b*b, d[1], gemm.FMA32(-a*a-b*b, d[3], d[5])),
	}
}

// winogradOut evaluates At m.
func winogradOut(m *[winogradPoints]float32) [winogradSide]float32 {
	const a, b = winogradA, winogradB
	s1, d1 := m[1]+m[2], m[1]-m[2]
	s2, d2 := m[3]+m[4], m[3]-m[4]
	return [winogradSide]float32{
		(m[0] + s1) + s2,
		gemm.FMA32(b, d2, float32(a*d1)),
		gemm.FMA32(b*b, s2, float32(a*a*s1)),
		gemm.FMA32(b*b*b, d2, gemm.FMA32(a*a*a, d1, m[5])),
	}
}

// f32WinogradGeneric is a product with panels of one block.
func f32WinogradGeneric(rows, blocks int, v []float32, vStep int, u, m []float32, _, _, _ int) {
	for i := range rows {
		sums := m[i*Lanes:][:Lanes]
		clear(sums)
		for p := range blocks * Lanes {
			x := v[p/Lanes*vStep+i*Lanes+p%Lanes]
			for j, w := range u[p*Lanes:][:Lanes] {
				sums[j] = gemm.FMA32(x, w, sums[j])
			}
		}
	}
}

func f32WinogradInRowsGeneric(n int, x0, x1, x2, x3, x4, x5, t []float32) {
	for i := range n * Lanes {
		for r, v := range winogradIn(&[winogradPoints]float32{x0[i], x1[i], x2[i], x3[i], x4[i], x5[i]}) {
			t[r*stripStep+i] = v
		}
	}
}

func f32WinogradInColsGeneric(n int, t, v []float32, vStep int) {
	var d [winogradPoints]float32
	for r := range winogradPoints {
		for i := range n * Lanes {
			p := t[r*stripStep+i/Lanes*winogradSide*Lanes+i%Lanes:]
			for c := range d {
				d[c] = p[c*Lanes]
			}
			for c, x := range winogradIn(&d) {
				v[(r*winogradPoints+c)*vStep+i] = x
			}
		}
	}
}

func f32WinogradOutColsGeneric(n int, m []float32, mStep int, t []float32) {
	var d [winogradPoints]float32
	for r := range winogradPoints {
		for i := range n * Lanes {
			for c := range d {
				d[c] = m[(r*winogradPoints+c)*mStep+i]
			}
			p := t[r*stripStep+i/Lanes*winogradSide*Lanes+i%Lanes:]
			for c, x := range winogradOut(&d) {
				p[c*Lanes] = x
			}
		}
	}
}

func f32WinogradOutRowsGeneric(n, rows int, t, bias, residual, y []float32, yStep int, low, high float32, clip bool) {
	var d [winogradPoints]float32
	for i := range n * Lanes {
		for r := range d {
			d[r] = t[r*stripStep+i]
		}
		sums := winogradOut(&d)
		for r, sum := range sums[:rows] {
			sum += bias[i%Lanes]
			if residual != nil {
				sum += residual[r*yStep+i]
			}
			if clip {
				sum = atMost(atLeast(sum, low), high)
			}
			y[r*yStep+i] = sum
		}
	}
}
