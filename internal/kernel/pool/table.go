package pool

import (
	"sync/atomic"

	"github.com/gneiss-ml/gneiss/internal/cpu"
)

// A Table is everything in which the tiers differ. All functions of all
// tables give the same bits.
type Table struct {
	Level cpu.Level
	// MaxHalves sets y and indices, which may be nil, to the greatest of each
	// window of 2x2 of two rows; first is the place of upper[0], width the
	// distance from row to row.
	MaxHalves func(upper, lower, y []float32, indices []int64, first, width int)
	// HalvesGrad sets two rows to dy where indices say and to zero elsewhere,
	// the windows of 2x2 beside each other; it returns false if an index is not
	// one of its window. Nil: the gradient of any windows is used.
	HalvesGrad func(upper, lower, dy []float32, indices []int64, first, width int) bool
}

var generic = &Table{Level: cpu.Generic, MaxHalves: maxHalvesRow}

// For returns the table of a level, or the best below it. The level must be
// one of cpu.Supported.
func For(level cpu.Level) *Table {
	if level >= cpu.AVX2 {
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
