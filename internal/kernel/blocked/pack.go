package blocked

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Pack writes the plain tensor src, [n, channels, pixels], to dst, blocked.
// The lanes beyond the channels become zero.
func Pack(team *parallel.Team, dst, src []float32, n, channels, pixels int) {
	reorder(team, dst, src, n, channels, pixels, true)
}

// Unpack writes the blocked tensor src to dst, [n, channels, pixels].
func Unpack(team *parallel.Team, dst, src []float32, n, channels, pixels int) {
	reorder(team, src, dst, n, channels, pixels, false)
}

const (
	reorderPixels = 256     // of a piece: its two forms fit into the first cache
	reorderTask   = 1 << 15 // elements that take about 20 microseconds
)

// reorderJob turns between the plain and the blocked form: a task whose tiles
// are a few pieces of blocks.
type reorderJob struct {
	transpose         func(dst []float32, ldd int, src []float32, lds, rows, cols int)
	blocked, plain    []float32
	channels, pixels  int
	pack              bool
	pieces, blocks, n int // pieces of a block, blocks of an image, pieces of a task
	all               int // pieces
}

var reorders parallel.FreeList[reorderJob]

func reorder(team *parallel.Team, blocked, plain []float32, n, channels, pixels int, pack bool) {
	check(len(blocked) >= Len(n, channels, pixels) && len(plain) >= n*channels*pixels)
	if n*channels*pixels == 0 {
		return
	}
	j := reorders.Take()
	*j = reorderJob{
		transpose: gemm.For[float32](Best().Level).Transpose, blocked: blocked, plain: plain,
		channels: channels, pixels: pixels, pack: pack,
		pieces: (pixels + reorderPixels - 1) / reorderPixels, blocks: Blocks(channels),
	}
	j.all = n * j.blocks * j.pieces
	j.n = max(reorderTask/(min(pixels, reorderPixels)*Lanes), 1)
	if j.all < 2*j.n {
		team = nil
	}
	team.Do((j.all+j.n-1)/j.n, j)
	reorders.Give(j)
}

// Tile turns the pieces of a task.
func (j *reorderJob) Tile(i int) {
	for piece := i * j.n; piece < min((i+1)*j.n, j.all); piece++ {
		image, b, first := piece/j.pieces/j.blocks, piece/j.pieces%j.blocks, piece%j.pieces*reorderPixels
		lanes, pixels := min(j.channels-b*Lanes, Lanes), min(j.pixels-first, reorderPixels)
		blocked := j.blocked[((image*j.blocks+b)*j.pixels+first)*Lanes:][:pixels*Lanes]
		plain := j.plain[(image*j.channels+b*Lanes)*j.pixels+first:]
		if j.pack {
			if lanes < Lanes {
				clear(blocked)
			}
			j.transpose(blocked, Lanes, plain, j.pixels, lanes, pixels)
		} else {
			j.transpose(plain, j.pixels, blocked, Lanes, pixels, lanes)
		}
	}
}
