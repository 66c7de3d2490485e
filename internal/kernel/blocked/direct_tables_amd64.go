//go:build amd64 && !purego

package blocked

import "github.com/gneiss-ml/gneiss/internal/cpu"

func directFor(level cpu.Level) directTable {
	switch level {
	case cpu.AVX512:
		return directTable{level: level, pixels: 14, width: 32, grain: 2 << 20}
	case cpu.AVX2:
		return directTable{level: level, pixels: 6, width: 16, grain: 1 << 20}
	}
	return directTable{level: cpu.Generic, pixels: 6, width: 16, grain: 1 << 15}
}

// run computes a tile. The calls are direct so that the tile may lie on the
// caller's stack.
func (t *directTable) run(d *directTile, width int, plain bool) {
	switch {
	case t.level == cpu.AVX512 && width == 32 && plain:
		f32DirectPlain14x32AVX512(d)
	case t.level == cpu.AVX512 && width == 32:
		f32Direct14x32AVX512(d)
	case t.level == cpu.AVX512 && plain:
		f32DirectPlain14x16AVX512(d)
	case t.level == cpu.AVX512:
		f32Direct14x16AVX512(d)
	case t.level == cpu.AVX2 && plain:
		f32DirectPlain6x16AVX2(d)
	case t.level == cpu.AVX2:
		f32Direct6x16AVX2(d)
	default:
		directGeneric(d, width, plain)
	}
}

// activateBlocks applies the activations that exist in assembly to whole
// blocks, and reports whether this is one.
func (t *directTable) activateBlocks(e *Epilogue, y []float32) bool {
	if t.level == cpu.Generic {
		return false
	}
	wide := t.level == cpu.AVX512
	switch {
	case e.Act == LeakyRelu && wide:
		f32LeakyReluAVX512(y, e.Alpha, 0)
	case e.Act == LeakyRelu:
		f32LeakyReluAVX2(y, e.Alpha, 0)
	case e.Act == HardSigmoid && wide:
		f32HardSigmoidAVX512(y, e.Alpha, e.Beta)
	case e.Act == HardSigmoid:
		f32HardSigmoidAVX2(y, e.Alpha, e.Beta)
	case e.Act == HardSwish && wide:
		f32HardSwishAVX512(y, 6, 0.5)
	case e.Act == HardSwish:
		f32HardSwishAVX2(y, 6, 0.5)
	default:
		return false
	}
	return true
}
