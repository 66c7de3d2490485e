package gemm

import (
	"sync"
	"sync/atomic"

	"github.com/gneiss-ml/gneiss/internal/cpu"
)

// Float is the element type of a product.
type Float interface{ float32 | float64 }

// Start says what the chain of an output element starts from.
type Start int

// The starts. Bias has one element per row or per column of C.
const (
	FromZero Start = iota
	FromC
	FromRowBias
	FromColBias
)

// A Tile computes up to Rows x Cols elements of C from a, whose step k holds
// the rows side by side, and b, whose step k holds the columns side by side.
// b must hold Cols columns in every step even where cols is less.
type Tile[T Float] func(rows, k int, a []T, aStep int, b []T, bStep int, c []T, ldc, cols int, start Start, bias []T, relu bool)

// A TileA is a Tile that finds step p of a at aOff[p].
type TileA[T Float] func(rows, k int, a []T, aOff []int, b []T, bStep int, c []T, ldc, cols int, start Start, bias []T, relu bool)

// A TileB is a Tile that finds step p of b at bOff[p].
type TileB[T Float] func(rows, k int, a []T, aStep int, b []T, bOff []int, c []T, ldc, cols int, start Start, bias []T, relu bool)

// A RowsTile computes up to Rows x Cols elements of C from rows of a, lda
// apart, and b, whose step k holds the columns side by side. To the sums it
// adds the elements of add, whose rows are ldadd apart; nil: none. The memory at
// next is fetched meanwhile, k/4 lines of 64 bytes; it may lie anywhere. b must
// hold Cols columns in every step.
type RowsTile[T Float] func(rows, k int, a []T, lda int, b []T, bStep int, c []T, ldc, cols int, add []T, ldadd int, start Start, bias, next []T, relu bool)

// A ThinTile computes the 4·Cols elements of one row of C from four packed
// panels of b that are panel elements apart, and adds add to them; nil: none.
type ThinTile[T Float] func(k int, a, b []T, panel int, c, add []T, start Start, bias []T, relu bool)

// A Table is everything in which the tiers differ. All functions of all
// tables give the same bits.
type Table[T Float] struct {
	Level      cpu.Level
	Rows, Cols int // of the greatest tile
	WideCols   int // columns of Wide
	// Worth is the number of multiplications, about 20 microseconds of them,
	// below which a second thread does not pay.
	Worth int64
	Tile  Tile[T]
	TileA TileA[T]
	TileB TileB[T]
	// Wide is a Tile of one row and exactly WideCols columns.
	Wide Tile[T]
	// RowsTile reads A where it is; ThinTile is for one row and a packed B.
	RowsTile RowsTile[T]
	ThinTile ThinTile[T]
	// Transpose sets dst[c*ldd+r] to src[r*lds+c] for rows x cols elements.
	// The two must not overlap.
	Transpose func(dst []T, ldd int, src []T, lds, rows, cols int)
}

// Format names the form of packed operands: two tables of the same format can
// read each other's.
func (t *Table[T]) Format() string { return t.Level.String() }

// Best returns the table of the tier in use.
func Best[T Float]() *Table[T] {
	if t, ok := any(chosen32()).(*Table[T]); ok {
		return t
	}
	return any(chosen64()).(*Table[T])
}

func chosen32() *Table[float32] {
	if t := override32.Load(); t != nil {
		return t
	}
	return best32()
}

func chosen64() *Table[float64] {
	if t := override64.Load(); t != nil {
		return t
	}
	return best64()
}

var (
	override32 atomic.Pointer[Table[float32]]
	override64 atomic.Pointer[Table[float64]]
)

// Override makes the tables in use t32 and t64 until restore is called: for
// tests.
func Override(t32 *Table[float32], t64 *Table[float64]) (restore func()) {
	old32, old64 := override32.Swap(t32), override64.Swap(t64)
	return func() {
		override32.Store(old32)
		override64.Store(old64)
	}
}

var (
	best32 = sync.OnceValue(func() *Table[float32] { return For[float32](cpu.Tier()) })
	best64 = sync.OnceValue(func() *Table[float64] { return For[float64](cpu.Tier()) })
)

// For returns the table of a level, or the best below it. The level must be
// one of cpu.Supported.
func For[T Float](level cpu.Level) *Table[T] {
	var found any
	if _, ok := any((*T)(nil)).(*float32); ok {
		found = table32(level)
	} else {
		found = table64(level)
	}
	return found.(*Table[T])
}
