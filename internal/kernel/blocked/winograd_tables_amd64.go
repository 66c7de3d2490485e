//go:build amd64 && !purego

package blocked

import "github.com/gneiss-ml/gneiss/internal/cpu"

var (
	avx512Winograd = winogradTable{
		rows: 14, width: 2 * Lanes,
		product: f32Winograd14x32AVX512, narrow: f32Winograd14x16AVX512,
		inRows: f32WinogradInRowsAVX512, inCols: f32WinogradInColsAVX512,
		outCols: f32WinogradOutColsAVX512, outRows: f32WinogradOutRowsAVX512,
	}
	avx2Winograd = winogradTable{
		rows: 6, width: Lanes,
		product: f32Winograd6x16AVX2, narrow: f32Winograd6x16AVX2,
		inRows: f32WinogradInRowsAVX2, inCols: f32WinogradInColsAVX2,
		outCols: f32WinogradOutColsAVX2, outRows: f32WinogradOutRowsAVX2,
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
