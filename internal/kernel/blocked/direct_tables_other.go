//go:build purego || !amd64

package blocked

import "github.com/gneiss-ml/gneiss/internal/cpu"

func directFor(cpu.Level) directTable {
	return directTable{level: cpu.Generic, pixels: 6, width: 16, grain: 1 << 15}
}

func (t *directTable) run(d *directTile, width int, plain bool) { directGeneric(d, width, plain) }

// activateBlocks reports that no activation exists in assembly.
func (t *directTable) activateBlocks(*Epilogue, []float32) bool { return false }
