package pool

import (
	"sync/atomic"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
)

// A Table is everything in which the tiers differ. All functions of all
// tables give the same bits.
type Table struct {
	Level cpu.Level
	sums  *vec.Table
	// MaxHalves sets y and indices, which may be nil, to the greatest of each
	// window of 2x2 of two rows; first is the place of upper[0], width the
	// distance from row to row.
	MaxHalves func(upper, lower, y []float32, indices []int64, first, width int)
	// HalvesGrad sets two rows to dy where indices say and to zero elsewhere,
	// the windows of 2x2 beside each other; it returns false if an index is not
	// one of its window. Nil: the gradient of any windows is used.
	HalvesGrad func(upper, lower, dy []float32, indices []int64, first, width int) bool
	// MaxRow, MaxRowAt and MeanRow reduce n windows, 1 or 2 elements apart (the
	// index is one less), of rows by taps elements, to the greatest element, to
	// that and its place, counted from first, and to the mean: the sums of the
	// rows are added up and divided by count. Nil: the windows are reduced one
	// by one.
	MaxRow   [2]func(n, rows, rowStep, taps, tapStep int, x, y []float32)
	MaxRowAt [2]func(n, rows, rowStep, taps, tapStep int, x, y []float32, indices []int64, first int)
	MeanRow  [2]func(n, rows, rowStep, taps, tapStep int, x, y []float32, count float32)
}

var generic = &Table{Level: cpu.Generic, sums: vec.For(cpu.Generic), MaxHalves: maxHalvesRow}

// For returns the table of a level, or the best below it. The level must be
// one of cpu.Supported.
func For(level cpu.Level) *Table {
	switch {
	case level >= cpu.AVX512:
		return wide
	case level >= cpu.AVX2:
		return vectors
	}
	return generic
}

var override atomic.Pointer[Table]

// Best returns the table of the tier in use.
func Best() *Table {
	if t := override.Load(); t != nil {
		return t
	}
	return For(cpu.Tier())
}

// Override makes t the table in use until restore is called: for tests.
func Override(t *Table) (restore func()) {
	old := override.Swap(t)
	return func() { override.Store(old) }
}
