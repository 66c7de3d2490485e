//go:build amd64 && !purego

package pool

import (
	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
)

type (
	maxRow   = func(n, rows, rowStep, taps, tapStep int, x, y []float32)
	maxRowAt = func(n, rows, rowStep, taps, tapStep int, x, y []float32, indices []int64, first int)
	meanRow  = func(n, rows, rowStep, taps, tapStep int, x, y []float32, count float32)
)

var vectors = &Table{
	Level: cpu.AVX2, sums: vec.For(cpu.AVX2), MaxHalves: maxHalves256, HalvesGrad: halvesGrad256,
	MaxRow:   [2]maxRow{f32MaxRowStride1AVX2, f32MaxRowStride2AVX2},
	MaxRowAt: [2]maxRowAt{f32MaxRowAtStride1AVX2, f32MaxRowAtStride2AVX2},
	MeanRow:  [2]meanRow{f32MeanRowStride1AVX2, f32MeanRowStride2AVX2},
}

var wide = &Table{
	Level: cpu.AVX512, sums: vec.For(cpu.AVX512), MaxHalves: maxHalves256, HalvesGrad: halvesGrad256,
	MaxRow:   [2]maxRow{f32MaxRowStride1AVX512, f32MaxRowStride2AVX512},
	MaxRowAt: [2]maxRowAt{f32MaxRowAtStride1AVX512, f32MaxRowAtStride2AVX512},
	MeanRow:  [2]meanRow{f32MeanRowStride1AVX512, f32MeanRowStride2AVX512},
}

func maxHalves256(upper, lower, y []float32, indices []int64, first, width int) {
	f32MaxHalvesAVX2(len(y), upper, lower, y, indices, first, width)
}

func halvesGrad256(upper, lower, dy []float32, indices []int64, first, width int) bool {
	return f32HalvesGradAVX2(len(dy), upper, lower, dy, indices, first, width) == 0
}
