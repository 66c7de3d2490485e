//go:build purego || !amd64

package pool

// f32MaxHalvesAVX2 is never called where no tier has it.
func f32MaxHalvesAVX2(_ int, upper, lower, y []float32, indices []int64, first, width int) {
	maxHalvesRow(upper, lower, y, indices, first, width)
}
