//go:build amd64 && !purego

package gemm

import "github.com/gneiss-ml/gneiss/internal/cpu"

var (
	avx512x32 = Table[float32]{
		Level: cpu.AVX512, Rows: 14, Cols: 32, WideCols: 128, Worth: 2 << 20,
		Tile: f32Gemm14x32AVX512, TileA: f32GemmA14x32AVX512, TileB: f32GemmB14x32AVX512,
		Wide: f32Gemm1x128AVX512, Transpose: f32TransposeAny,
		RowsTile: f32Rows14x32AVX512, ThinTile: f32Thin1x128AVX512,
	}
	avx2x32 = Table[float32]{
		Level: cpu.AVX2, Rows: 6, Cols: 16, WideCols: 64, Worth: 1 << 20,
		Tile: f32Tile6x16AVX2, TileA: f32TileA6x16AVX2, TileB: f32TileB6x16AVX2,
		Wide: f32Gemm1x64AVX2, Transpose: f32TransposeAny,
		RowsTile: f32RowsTile6x16AVX2, ThinTile: f32Thin1x64AVX2,
	}
	avx512x64 = Table[float64]{
		Level: cpu.AVX512, Rows: 14, Cols: 16, WideCols: 64, Worth: 1 << 20,
		Tile: f64Gemm14x16AVX512, TileA: f64GemmA14x16AVX512, TileB: f64GemmB14x16AVX512,
		Wide: f64Gemm1x64AVX512, Transpose: transposeGeneric[float64],
		RowsTile: f64Rows14x16AVX512, ThinTile: f64Thin1x64AVX512,
	}
	avx2x64 = Table[float64]{
		Level: cpu.AVX2, Rows: 6, Cols: 8, WideCols: 32, Worth: 1 << 19,
		Tile: f64Tile6x8AVX2, TileA: f64TileA6x8AVX2, TileB: f64TileB6x8AVX2,
		Wide: f64Gemm1x32AVX2, Transpose: transposeGeneric[float64],
		RowsTile: f64RowsTile6x8AVX2, ThinTile: f64Thin1x32AVX2,
	}
)

func table32(level cpu.Level) *Table[float32] {
	switch level {
	case cpu.AVX512:
		return &avx512x32
	case cpu.AVX2:
		return &avx2x32
	}
	return &generic32
}

func table64(level cpu.Level) *Table[float64] {
	switch level {
	case cpu.AVX512:
		return &avx512x64
	case cpu.AVX2:
		return &avx2x64
	}
	return &generic64
}

// f32TransposeAny transposes in assembly what is at least 8x8.
func f32TransposeAny(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	if rows < 8 || cols < 8 {
		transposeGeneric(dst, ldd, src, lds, rows, cols)
		return
	}
	f32TransposeAVX2(dst, ldd, src, lds, rows, cols)
}

// An edge is a whole tile in memory. AVX2 has no cheap masks, so that tiles
// with fewer columns are computed there and copied.
type edge[T Float] struct{ c [96]T }

func (e *edge[T]) load(width int, c []T, ldc, rows, cols int, start Start, bias []T) {
	for i := range rows {
		to := e.c[i*width:][:cols]
		switch start {
		case FromC:
			copy(to, c[i*ldc:])
		case FromRowBias:
			for j := range to {
				to[j] = bias[i]
			}
		case FromColBias:
			copy(to, bias)
		}
	}
}

func (e *edge[T]) store(width int, c []T, ldc, rows, cols int) {
	for i := range rows {
		copy(c[i*ldc:][:cols], e.c[i*width:])
	}
}

func f32Tile6x16AVX2(rows, k int, a []float32, aStep int, b []float32, bStep int, c []float32, ldc, cols int, start Start, bias []float32, relu bool) {
	if cols >= 16 {
		f32Gemm6x16AVX2(rows, k, a, aStep, b, bStep, c, ldc, cols, start, bias, relu)
		return
	}
	var e edge[float32]
	e.load(16, c, ldc, rows, cols, start, bias)
	f32Gemm6x16AVX2(rows, k, a, aStep, b, bStep, e.c[:], 16, 16, FromC, nil, relu)
	e.store(16, c, ldc, rows, cols)
}

func f32TileA6x16AVX2(rows, k int, a []float32, aOff []int, b []float32, bStep int, c []float32, ldc, cols int, start Start, bias []float32, relu bool) {
	if cols >= 16 {
		f32GemmA6x16AVX2(rows, k, a, aOff, b, bStep, c, ldc, cols, start, bias, relu)
		return
	}
	var e edge[float32]
	e.load(16, c, ldc, rows, cols, start, bias)
	f32GemmA6x16AVX2(rows, k, a, aOff, b, bStep, e.c[:], 16, 16, FromC, nil, relu)
	e.store(16, c, ldc, rows, cols)
}

func f32TileB6x16AVX2(rows, k int, a []float32, aStep int, b []float32, bOff []int, c []float32, ldc, cols int, start Start, bias []float32, relu bool) {
	if cols >= 16 {
		f32GemmB6x16AVX2(rows, k, a, aStep, b, bOff, c, ldc, cols, start, bias, relu)
		return
	}
	var e edge[float32]
	e.load(16, c, ldc, rows, cols, start, bias)
	f32GemmB6x16AVX2(rows, k, a, aStep, b, bOff, e.c[:], 16, 16, FromC, nil, relu)
	e.store(16, c, ldc, rows, cols)
}

func f64Tile6x8AVX2(rows, k int, a []float64, aStep int, b []float64, bStep int, c []float64, ldc, cols int, start Start, bias []float64, relu bool) {
	if cols >= 8 {
		f64Gemm6x8AVX2(rows, k, a, aStep, b, bStep, c, ldc, cols, start, bias, relu)
		return
	}
	var e edge[float64]
	e.load(8, c, ldc, rows, cols, start, bias)
	f64Gemm6x8AVX2(rows, k, a, aStep, b, bStep, e.c[:], 8, 8, FromC, nil, relu)
	e.store(8, c, ldc, rows, cols)
}

func f64TileA6x8AVX2(rows, k int, a []float64, aOff []int, b []float64, bStep int, c []float64, ldc, cols int, start Start, bias []float64, relu bool) {
	if cols >= 8 {
		f64GemmA6x8AVX2(rows, k, a, aOff, b, bStep, c, ldc, cols, start, bias, relu)
		return
	}
	var e edge[float64]
	e.load(8, c, ldc, rows, cols, start, bias)
	f64GemmA6x8AVX2(rows, k, a, aOff, b, bStep, e.c[:], 8, 8, FromC, nil, relu)
	e.store(8, c, ldc, rows, cols)
}

func f64TileB6x8AVX2(rows, k int, a []float64, aStep int, b []float64, bOff []int, c []float64, ldc, cols int, start Start, bias []float64, relu bool) {
	if cols >= 8 {
		f64GemmB6x8AVX2(rows, k, a, aStep, b, bOff, c, ldc, cols, start, bias, relu)
		return
	}
	var e edge[float64]
	e.load(8, c, ldc, rows, cols, start, bias)
	f64GemmB6x8AVX2(rows, k, a, aStep, b, bOff, e.c[:], 8, 8, FromC, nil, relu)
	e.store(8, c, ldc, rows, cols)
}

func f32RowsTile6x16AVX2(rows, k int, a []float32, lda int, b []float32, bStep int, c []float32, ldc, cols int, add []float32, ldadd int, start Start, bias, next []float32, relu bool) {
	if cols >= 16 {
		f32Rows6x16AVX2(rows, k, a, lda, b, bStep, c, ldc, cols, add, ldadd, start, bias, next, relu)
		return
	}
	var e edge[float32]
	e.load(16, c, ldc, rows, cols, start, bias)
	f32Rows6x16AVX2(rows, k, a, lda, b, bStep, e.c[:], 16, 16, nil, 0, FromC, nil, next, relu && add == nil)
	if add != nil {
		plus(e.c[:], 16, rows, cols, add, ldadd)
		end(e.c[:], 16, rows, cols, relu)
	}
	e.store(16, c, ldc, rows, cols)
}

func f64RowsTile6x8AVX2(rows, k int, a []float64, lda int, b []float64, bStep int, c []float64, ldc, cols int, add []float64, ldadd int, start Start, bias, next []float64, relu bool) {
	if cols >= 8 {
		f64Rows6x8AVX2(rows, k, a, lda, b, bStep, c, ldc, cols, add, ldadd, start, bias, next, relu)
		return
	}
	var e edge[float64]
	e.load(8, c, ldc, rows, cols, start, bias)
	f64Rows6x8AVX2(rows, k, a, lda, b, bStep, e.c[:], 8, 8, nil, 0, FromC, nil, next, relu && add == nil)
	if add != nil {
		plus(e.c[:], 8, rows, cols, add, ldadd)
		end(e.c[:], 8, rows, cols, relu)
	}
	e.store(8, c, ldc, rows, cols)
}
