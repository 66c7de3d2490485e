package blocked

import (
	"sync"
	"sync/atomic"

	"github.com/gneiss-ml/gneiss/internal/cpu"
)

// A Table is everything in which the tiers differ. All functions of all
// tables give the same bits.
type Table struct {
	Level     cpu.Level
	direct    directTable
	winograd  winogradTable
	depthwise depthwiseTable
	pool      poolTable
	quant     quantTable
}

// For returns the table of a level, or the best below it. The level must be
// one of cpu.Supported.
func For(level cpu.Level) *Table {
	return &Table{Level: level, direct: directFor(level), winograd: winogradFor(level), depthwise: depthwiseFor(level), pool: poolFor(level), quant: quantFor(level)}
}

var (
	best     = sync.OnceValue(func() *Table { return For(cpu.Tier()) })
	override atomic.Pointer[Table]
)

// Best returns the table of the tier in use.
func Best() *Table {
	if t := override.Load(); t != nil {
		return t
	}
	return best()
}

// Override makes t the table in use until restore is called: for tests.
func Override(t *Table) (restore func()) {
	old := override.Swap(t)
	return func() { override.Store(old) }
}
