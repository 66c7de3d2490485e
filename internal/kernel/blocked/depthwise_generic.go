package blocked

import (
	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
)

// genericDepthwise defines what the assembly computes.
var genericDepthwise = depthwiseTable{
	pixels: 8,
	stretches: [3][2]stretchKernel{
		{stretchesGeneric(3, 1), stretchesGeneric(3, 2)},
		{stretchesGeneric(5, 1), stretchesGeneric(5, 2)},
		{stretchesGeneric(7, 1), stretchesGeneric(7, 2)},
	},
	taps: tapsGeneric,
}

func depthwiseFor(level cpu.Level) depthwiseTable {
	switch {
	case level >= cpu.AVX512:
		return depthwise512
	case level >= cpu.AVX2:
		return depthwise256
	}
	return genericDepthwise
}

func stretchesGeneric(kernel, stride int) stretchKernel {
	return func(rows []line, stretches []stretch, x []float32, xRow int, w, bias, residual, y []float32, limits int, low, high float32) {
		at := 0
		for _, r := range rows {
			for _, s := range stretches {
				for i := range s.n {
					sums := [Lanes]float32(bias)
					lo, hi := max(s.first-i*stride, 0), min(s.end-i*stride, kernel)
					for tap := range r.taps {
						from := (r.x+tap*xRow+s.x)/4 + i*stride*Lanes
						for k := lo; k < hi; k++ {
							multiply(&sums, x[from+k*Lanes:], w[(r.w/4+(tap*kernel+k)*Lanes):])
						}
					}
					finish(&sums, residual, y, at, limits, low, high)
					at += Lanes
				}
			}
		}
	}
}

func tapsGeneric(rows []line, pieces []piece, x []float32, xRow, xTap, xPixel, yRow int, w []float32, wRow int, bias, residual, y []float32, limits int, low, high float32) {
	for r, row := range rows {
		for _, p := range pieces {
			for i := range p.n {
				sums := [Lanes]float32(bias)
				for tap := range row.taps {
					for k := range p.taps {
						multiply(&sums, x[(row.x+tap*xRow+p.x+k*xTap+i*xPixel)/4:], w[(row.w+tap*wRow+p.w)/4+k*Lanes:])
					}
				}
				finish(&sums, residual, y, (r*yRow+p.y)/4+i*Lanes, limits, low, high)
			}
		}
	}
}

// multiply adds the product of a pixel and the weights of a tap.
func multiply(sums *[Lanes]float32, x, w []float32) {
	x, w = x[:Lanes], w[:Lanes]
	for c := range sums {
		sums[c] = gemm.FMA32(x[c], w[c], sums[c])
	}
}

// finish stores the sums of a pixel.
func finish(sums *[Lanes]float32, residual, y []float32, at, limits int, low, high float32) {
	for c, v := range sums {
		if residual != nil {
			v += residual[at+c]
		}
		if limits > 0 {
			v = atLeast(v, low)
		}
		if limits > 1 {
			v = atMost(v, high)
		}
		y[at+c] = v
	}
}
