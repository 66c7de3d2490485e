package blocked

import "github.com/gneiss-ml/gneiss/internal/parallel"

// PackLast writes src, [n, pixels, channels], to dst, blocked.
func PackLast(team *parallel.Team, dst, src []float32, n, channels, pixels int) {
	check(len(dst) >= Len(n, channels, pixels) && len(src) >= n*channels*pixels)
	runLast(team, lastJob{to: dst, from: src, pack: true, n: n, channels: channels, pixels: pixels})
}

// UnpackLast writes the blocked tensor src to dst, [n, pixels, channels].
func UnpackLast(team *parallel.Team, dst, src []float32, n, channels, pixels int) {
	check(len(src) >= Len(n, channels, pixels) && len(dst) >= n*channels*pixels)
	runLast(team, lastJob{to: dst, from: src, n: n, channels: channels, pixels: pixels})
}

// lastJob moves a tensor between blocks and channels that are the last axis:
// the channels of a block lie beside each other in both.
type lastJob struct {
	to, from            []float32
	pack                bool
	copy                func(n int, y, x []float32, yStep, xStep int)
	n, channels, pixels int
	each                int // pixels of a tile
	tiles               int // of an image
}

var lastJobs parallel.FreeList[lastJob]

const (
	lastElements = 1 << 13 // elements of a tile
	lastPixels   = 16      // pixels of a block that are moved before those of the next one
)

func runLast(team *parallel.Team, l lastJob) {
	if l.n*l.channels*l.pixels == 0 {
		return
	}
	l.copy = Best().pool.move
	l.each = min(max(lastElements/l.channels, lastPixels), l.pixels)
	l.tiles = (l.pixels + l.each - 1) / l.each
	if l.n*l.channels*l.pixels < 2*lastElements {
		team = nil
	}
	j := lastJobs.Take()
	*j = l
	team.Do(l.n*l.tiles, j)
	lastJobs.Give(j)
}

// Tile moves some pixels of an image.
func (j *lastJob) Tile(i int) {
	image, first := i/j.tiles, i%j.tiles*j.each
	end := min(first+j.each, j.pixels)
	for ; first < end; first += lastPixels {
		for b := range Blocks(j.channels) {
			j.move(image, b, first, min(first+lastPixels, end))
		}
	}
}

// move moves some pixels of a block.
func (j *lastJob) move(image, b, first, end int) {
	block := ((image*Blocks(j.channels)+b)*j.pixels + first) * Lanes
	last := (image*j.pixels+first)*j.channels + b*Lanes
	n, width := end-first, min(Lanes, j.channels-b*Lanes)
	switch {
	case width == Lanes && j.pack:
		j.copy(n, j.to[block:], j.from[last:], Lanes, j.channels)
	case width == Lanes:
		j.copy(n, j.to[last:], j.from[block:], j.channels, Lanes)
	case j.pack:
		for i := range n {
			to := j.to[block+i*Lanes:][:Lanes]
			clear(to[copy(to, j.from[last+i*j.channels:][:width]):])
		}
	default:
		for i := range n {
			copy(j.to[last+i*j.channels:][:width], j.from[block+i*Lanes:])
		}
	}
}
