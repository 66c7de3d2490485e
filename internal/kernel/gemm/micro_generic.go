package gemm

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/cpu"
)

// The plain tables define what the assembly computes: one chain of fused
// multiplications and additions per output element, in increasing k.
var (
	generic32 = Table[float32]{
		Level: cpu.Generic, Rows: 6, Cols: 16, WideCols: 64, Worth: 1 << 15,
		Tile: f32GemmGeneric, TileA: f32GemmAGeneric, TileB: f32GemmBGeneric,
		Wide: f32GemmGeneric, Transpose: transposeGeneric[float32],
		RowsTile: f32RowsGeneric, ThinTile: f32ThinGeneric,
	}
	generic64 = Table[float64]{
		Level: cpu.Generic, Rows: 6, Cols: 8, WideCols: 32, Worth: 1 << 15,
		Tile: f64GemmGeneric, TileA: f64GemmAGeneric, TileB: f64GemmBGeneric,
		Wide: f64GemmGeneric, Transpose: transposeGeneric[float64],
		RowsTile: f64RowsGeneric, ThinTile: f64ThinGeneric,
	}
)

// begin writes the starts of the chains into the tile.
func begin[T Float](c []T, ldc, rows, cols int, start Start, bias []T) {
	for i := range rows {
		row := c[i*ldc:][:cols]
		switch start {
		case FromZero:
			clear(row)
		case FromRowBias:
			for j := range row {
				row[j] = bias[i]
			}
		case FromColBias:
			copy(row, bias)
		}
	}
}

// end applies Relu to the tile. NaN and -0 stay.
func end[T Float](c []T, ldc, rows, cols int, relu bool) {
	if !relu {
		return
	}
	for i := range rows {
		row := c[i*ldc:][:cols]
		for j, v := range row {
			if v < 0 {
				row[j] = 0
			}
		}
	}
}

func f32GemmGeneric(rows, k int, a []float32, aStep int, b []float32, bStep int, c []float32, ldc, cols int, start Start, bias []float32, relu bool) {
	begin(c, ldc, rows, cols, start, bias)
	for i := range rows {
		row := c[i*ldc:][:cols]
		for p := range k {
			f32AXPY(a[p*aStep+i], b[p*bStep:], row)
		}
	}
	end(c, ldc, rows, cols, relu)
}

func f32GemmAGeneric(rows, k int, a []float32, aOff []int, b []float32, bStep int, c []float32, ldc, cols int, start Start, bias []float32, relu bool) {
	begin(c, ldc, rows, cols, start, bias)
	for i := range rows {
		row := c[i*ldc:][:cols]
		for p, off := range aOff[:k] {
			f32AXPY(a[off+i], b[p*bStep:], row)
		}
	}
	end(c, ldc, rows, cols, relu)
}

func f32GemmBGeneric(rows, k int, a []float32, aStep int, b []float32, bOff []int, c []float32, ldc, cols int, start Start, bias []float32, relu bool) {
	begin(c, ldc, rows, cols, start, bias)
	for i := range rows {
		row := c[i*ldc:][:cols]
		for p, off := range bOff[:k] {
			f32AXPY(a[p*aStep+i], b[off:], row)
		}
	}
	end(c, ldc, rows, cols, relu)
}

func f64GemmGeneric(rows, k int, a []float64, aStep int, b []float64, bStep int, c []float64, ldc, cols int, start Start, bias []float64, relu bool) {
	begin(c, ldc, rows, cols, start, bias)
	for i := range rows {
		row := c[i*ldc:][:cols]
		for p := range k {
			f64AXPY(a[p*aStep+i], b[p*bStep:], row)
		}
	}
	end(c, ldc, rows, cols, relu)
}

func f64GemmAGeneric(rows, k int, a []float64, aOff []int, b []float64, bStep int, c []float64, ldc, cols int, start Start, bias []float64, relu bool) {
	begin(c, ldc, rows, cols, start, bias)
	for i := range rows {
		row := c[i*ldc:][:cols]
		for p, off := range aOff[:k] {
			f64AXPY(a[off+i], b[p*bStep:], row)
		}
	}
	end(c, ldc, rows, cols, relu)
}

func f64GemmBGeneric(rows, k int, a []float64, aStep int, b []float64, bOff []int, c []float64, ldc, cols int, start Start, bias []float64, relu bool) {
	begin(c, ldc, rows, cols, start, bias)
	for i := range rows {
		row := c[i*ldc:][:cols]
		for p, off := range bOff[:k] {
			f64AXPY(a[p*aStep+i], b[off:], row)
		}
	}
	end(c, ldc, rows, cols, relu)
}

// plus adds a residual to the tile; nil: none.
func plus[T Float](c []T, ldc, rows, cols int, add []T, ldadd int) {
	if add == nil {
		return
	}
	for i := range rows {
		row, with := c[i*ldc:][:cols], add[i*ldadd:][:cols]
		for j, v := range with {
			row[j] += v
		}
	}
}

func f32RowsGeneric(rows, k int, a []float32, lda int, b []float32, bStep int, c []float32, ldc, cols int, add []float32, ldadd int, start Start, bias, _ []float32, relu bool) {
	begin(c, ldc, rows, cols, start, bias)
	for i := range rows {
		row := c[i*ldc:][:cols]
		for p := range k {
			f32AXPY(a[i*lda+p], b[p*bStep:], row)
		}
	}
	plus(c, ldc, rows, cols, add, ldadd)
	end(c, ldc, rows, cols, relu)
}

func f64RowsGeneric(rows, k int, a []float64, lda int, b []float64, bStep int, c []float64, ldc, cols int, add []float64, ldadd int, start Start, bias, _ []float64, relu bool) {
	begin(c, ldc, rows, cols, start, bias)
	for i := range rows {
		row := c[i*ldc:][:cols]
		for p := range k {
			f64AXPY(a[i*lda+p], b[p*bStep:], row)
		}
	}
	plus(c, ldc, rows, cols, add, ldadd)
	end(c, ldc, rows, cols, relu)
}

func f32ThinGeneric(k int, a, b []float32, panel int, c, add []float32, start Start, bias []float32, relu bool) {
	const cols = 16
	begin(c, 0, 1, 4*cols, start, bias)
	for q := range 4 {
		f32RowsGeneric(1, k, a, 0, b[q*panel:], cols, c[q*cols:], 0, cols, nil, 0, FromC, nil, nil, false)
	}
	plus(c, 0, 1, 4*cols, add, 0)
	end(c, 0, 1, 4*cols, relu)
}

func f64ThinGeneric(k int, a, b []float64, panel int, c, add []float64, start Start, bias []float64, relu bool) {
	const cols = 8
	begin(c, 0, 1, 4*cols, start, bias)
	for q := range 4 {
		f64RowsGeneric(1, k, a, 0, b[q*panel:], cols, c[q*cols:], 0, cols, nil, 0, FromC, nil, nil, false)
	}
	plus(c, 0, 1, 4*cols, add, 0)
	end(c, 0, 1, 4*cols, relu)
}

// f32AXPY adds x*y to sum.
func f32AXPY(x float32, y, sum []float32) {
	y = y[:len(sum)]
	for j, v := range y {
		sum[j] = FMA32(x, v, sum[j])
	}
}

func f64AXPY(x float64, y, sum []float64) {
	y = y[:len(sum)]
	for j, v := range y {
		sum[j] = math.FMA(x, v, sum[j])
	}
}

// FMA32 returns a*b + c rounded once, as the fused instruction does. The
// product of two float32 is exact in float64. Rounding the sum first to
// float64 and then to float32 differs from rounding once only if the first
// rounding hits the middle of two float32, or if the result is subnormal.
func FMA32(a, b, c float32) float32 {
	s := float64(a)*float64(b) + float64(c)
	if bits := math.Float64bits(s); bits<<35 == 1<<63 || bits<<1 < (1023-126)<<53 {
		return fma32Odd(a, b, c)
	}
	return float32(s)
}

// fma32Odd rounds the sum to odd, which makes the second rounding right.
func fma32Odd(a, b, c float32) float32 {
	x, y := float64(a)*float64(b), float64(c)
	s := x + y
	z := s - x
	rest := (x - (s - z)) + (y - z) // what the addition lost, exactly
	bits := math.Float64bits(s)
	if rest != 0 && bits&1 == 0 {
		if (rest > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
	}
	return float32(math.Float64frombits(bits))
}

func transposeGeneric[T Float](dst []T, ldd int, src []T, lds, rows, cols int) {
	for r := range rows {
		row := src[r*lds:][:cols]
		for c, v := range row {
			dst[c*ldd+r] = v
		}
	}
}
