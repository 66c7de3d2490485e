//go:build purego || !amd64

package blocked

import "github.com/gneiss-ml/gneiss/internal/cpu"

func quantFor(cpu.Level) quantTable { return quantPlain }

// run computes a tile of width output channels.
func (q *quantTable) run(t *quantTile, width int) { quantGeneric(t, width) }
