//go:build amd64 && !purego

package pool

import "github.com/gneiss-ml/gneiss/internal/cpu"

var vectors = &Table{
	Level: cpu.AVX2,
	MaxHalves: func(upper, lower, y []float32, indices []int64, first, width int) {
		f32MaxHalvesAVX2(len(y), upper, lower, y, indices, first, width)
	},
	HalvesGrad: func(upper, lower, dy []float32, indices []int64, first, width int) bool {
		return f32HalvesGradAVX2(len(dy), upper, lower, dy, indices, first, width) == 0
	},
}
