//go:build amd64 && !purego

package blocked

import "github.com/gneiss-ml/gneiss/internal/cpu"

var (
	avx512Winograd = winogradTable{
		rows: 14, width: 2 * Lanes, alone: 6 << 20,
		product: f32Winograd14x32AVX512, narrow: f32Winograd14x16AVX512, weights: f32WinogradWeightsAVX512,
		transforms: [2]winogradTransforms{
			{f32WinogradIn2RowsAVX512, f32WinogradIn2ColsAVX512, f32WinogradOut2ColsAVX512, f32WinogradOut2RowsAVX512},
			{f32WinogradIn4RowsAVX512, f32WinogradIn4ColsAVX512, f32WinogradOut4ColsAVX512, f32WinogradOut4RowsAVX512},
		},
	}
	avx2Winograd = winogradTable{
		rows: 6, width: Lanes, alone: 3 << 20,
		product: f32Winograd6x16AVX2, narrow: f32Winograd6x16AVX2, weights: f32WinogradWeightsAVX2,
		transforms: [2]winogradTransforms{
			{f32WinogradIn2RowsAVX2, f32WinogradIn2ColsAVX2, f32WinogradOut2ColsAVX2, f32WinogradOut2RowsAVX2},
			{f32WinogradIn4RowsAVX2, f32WinogradIn4ColsAVX2, f32WinogradOut4ColsAVX2, f32WinogradOut4RowsAVX2},
		},
	}
)

func winogradFor(level cpu.Level) winogradTable {
	switch level {
	case cpu.AVX512:
		return avx512Winograd
	case cpu.AVX2:
		return avx2Winograd
	}
	return genericWinograd
}
