package blocked

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/cpu"
)

// genericPool defines what the assembly computes.
var genericPool = poolTable{max: maxGeneric, mean: meanGeneric, sum: sumGeneric, mul: mulGeneric, add: addGeneric, move: moveGeneric}

func poolFor(level cpu.Level) poolTable {
	switch {
	case level >= cpu.AVX512:
		return pool512
	case level >= cpu.AVX2:
		return pool256
	}
	return genericPool
}

// elements calls f with the place of every element of the window of a pixel.
func elements(r line, p piece, i, xRow, xTap, xPixel int, f func(at int)) {
	for tap := range r.taps {
		for k := range p.taps {
			f((r.x + tap*xRow + p.x + k*xTap + i*xPixel) / 4)
		}
	}
}

func maxGeneric(rows []line, pieces []piece, x []float32, xRow, xTap, xPixel, yRow int, y []float32) {
	low, nan := float32(math.Inf(-1)), float32(math.NaN())
	for r, row := range rows {
		for _, p := range pieces {
			for i := range p.n {
				to := y[(r*yRow+p.y)/4+i*Lanes:][:Lanes]
				for c := range to {
					to[c] = low
				}
				elements(row, p, i, xRow, xTap, xPixel, func(at int) {
					for c, v := range x[at:][:Lanes] {
						switch {
						case v != v:
							to[c] = nan
						case v > to[c]:
							to[c] = v
						}
					}
				})
			}
		}
	}
}

func meanGeneric(rows []line, pieces []piece, x []float32, xRow, xTap, xPixel, yRow int, y []float32) {
	for r, row := range rows {
		for _, p := range pieces {
			for i := range p.n {
				to := y[(r*yRow+p.y)/4+i*Lanes:][:Lanes]
				clear(to)
				elements(row, p, i, xRow, xTap, xPixel, func(at int) {
					for c, v := range x[at:][:Lanes] {
						to[c] += v
					}
				})
				n := float32(max(row.area*p.area, 1))
				for c := range to {
					to[c] /= n
				}
			}
		}
	}
}

func sumGeneric(n int, x, y []float32) {
	var chains [4][Lanes]float32
	for i := range n {
		for c, v := range x[i*Lanes:][:Lanes] {
			chains[i%4][c] += v
		}
	}
	for c := range chains[0] {
		y[c] = (chains[0][c] + chains[1][c]) + (chains[2][c] + chains[3][c])
	}
}

func mulGeneric(n int, y, x, s []float32) {
	for i := range n * Lanes {
		y[i] = x[i] * s[i%Lanes]
	}
}

func addGeneric(n int, y, x, s []float32) {
	for i := range n * Lanes {
		y[i] = x[i] + s[i%Lanes]
	}
}

func moveGeneric(n int, y, x []float32, yStep, xStep int) {
	for i := range n {
		copy(y[i*yStep:][:Lanes], x[i*xStep:][:Lanes])
	}
}
