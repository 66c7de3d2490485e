//go:build amd64 && !purego

package blocked

import "github.com/gneiss-ml/gneiss/internal/cpu"

func quantFor(level cpu.Level) quantTable {
	if level < cpu.AVX2 {
		return quantPlain
	}
	q := quantTable{
		directTable: directTable{level: level, pixels: 5, width: 16, grain: 1 << 18}, wordsPerStep: 2,
		max: u8MaxAVX2, maxWindows: u8MaxWindowsAVX2, add: u8AddAVX2, quantize: u8QuantizeAVX2,
	}
	if level == cpu.AVX512 && cpu.Has().VNNI {
		q.pixels, q.width, q.grain, q.wordsPerStep = 14, 32, 2<<20, 1
	}
	return q
}

// run computes a tile of width output channels.
func (q *quantTable) run(t *quantTile, width int) {
	switch {
	case q.level < cpu.AVX2:
		quantGeneric(t, width)
	case q.wordsPerStep == 2 && t.few:
		u8Conv5x16FewAVX2(t)
	case q.wordsPerStep == 2:
		u8Conv5x16AVX2(t)
	case width == 2*Lanes && t.few:
		u8Conv14x32FewVNNI(t)
	case width == 2*Lanes:
		u8Conv14x32VNNI(t)
	case t.few:
		u8Conv14x16FewVNNI(t)
	default:
		u8Conv14x16VNNI(t)
	}
}
