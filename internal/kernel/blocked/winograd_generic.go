package blocked

import "github.com/gneiss-ml/gneiss/internal/kernel/gemm"

// The plain table defines what the assembly computes.
var genericWinograd = winogradTable{
	rows: 6, width: Lanes,
	product: f32WinogradGeneric, narrow: f32WinogradGeneric, weights: f32WinogradWeightsGeneric,
	transforms: [2]winogradTransforms{genericTransforms(2, winogradIn2, winogradOut2), genericTransforms(4, winogradIn4, winogradOut4)},
}

// A lineTransform evaluates Bt d or At m of one line of a tile.
type lineTransform func(d [winogradPoints]float32) [winogradPoints]float32

func winogradIn2(d [winogradPoints]float32) [winogradPoints]float32 {
	return [winogradPoints]float32{d[0] - d[2], d[2] + d[1], d[2] - d[1], d[3] - d[1]}
}

func winogradOut2(m [winogradPoints]float32) [winogradPoints]float32 {
	return [winogradPoints]float32{m[0] + (m[1] + m[2]), (m[1] - m[2]) + m[3]}
}

func winogradIn4(d [winogradPoints]float32) [winogradPoints]float32 {
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

func winogradOut4(m [winogradPoints]float32) [winogradPoints]float32 {
	const a, b = winogradA, winogradB
	s1, d1 := m[1]+m[2], m[1]-m[2]
	s2, d2 := m[3]+m[4], m[3]-m[4]
	return [winogradPoints]float32{
		(m[0] + s1) + s2,
		gemm.FMA32(b, d2, float32(a*d1)),
		gemm.FMA32(b*b, s2, float32(a*a*s1)),
		gemm.FMA32(b*b*b, d2, gemm.FMA32(a*a*a, d1, m[5])),
	}
}

// f32WinogradGeneric is a product with panels of one block.
func f32WinogradGeneric(times, rows, blocks int, v []float32, vStep int, u, m []float32, _, _, _ int, more bool) {
	for i := range times * rows {
		sums := m[i*Lanes:][:Lanes]
		if !more {
			clear(sums)
		}
		for p := range blocks * Lanes {
			x := v[p/Lanes*vStep+i*Lanes+p%Lanes]
			for j, w := range u[p*Lanes:][:Lanes] {
				sums[j] = gemm.FMA32(x, w, sums[j])
			}
		}
	}
}

// genericTransforms makes the passes from the transforms of a line.
func genericTransforms(side int, in, out lineTransform) winogradTransforms {
	points := side + 2
	return winogradTransforms{
		inRows: func(n int, x0, x1, x2, x3, x4, x5, t []float32) {
			rows := [winogradPoints][]float32{x0, x1, x2, x3, x4, x5}
			for i := range n * Lanes {
				put(t[i:], stripStep, points, in(get(points, func(r int) float32 { return rows[r][i] })))
			}
		},
		inCols: func(n int, t, v []float32, vStep int) {
			for r := range points {
				for i := range n * Lanes {
					p := t[r*stripStep+i/Lanes*side*Lanes+i%Lanes:]
					put(v[r*points*vStep+i:], vStep, points, in(get(points, func(c int) float32 { return p[c*Lanes] })))
				}
			}
		},
		outCols: func(n int, m []float32, mStep int, t []float32) {
			for r := range points {
				for i := range n * Lanes {
					p := m[r*points*mStep+i:]
					put(t[r*stripStep+i/Lanes*side*Lanes+i%Lanes:], Lanes, side, out(get(points, func(c int) float32 { return p[c*mStep] })))
				}
			}
		},
		outRows: func(n, rows int, t, bias, residual, y []float32, yStep int, low, high float32, clip bool) {
			for i := range n * Lanes {
				sums := out(get(points, func(r int) float32 { return t[r*stripStep+i] }))
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
		},
	}
}

// get collects n values of a line.
func get(n int, at func(i int) float32) (d [winogradPoints]float32) {
	for i := range n {
		d[i] = at(i)
	}
	return d
}

// put writes n values of a line, step apart.
func put(dst []float32, step, n int, d [winogradPoints]float32) {
	for i, v := range d[:n] {
		dst[i*step] = v
	}
}
