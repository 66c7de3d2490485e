package blocked

import (
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

const (
	// winogradCache is how many elements of V a group may have, so that they
	// stay in the second cache beside M and some of the weights.
	winogradCache = 1 << 18
	// Tiles of a group: at most, and at least where each thread takes groups.
	winogradMost  = 56
	winogradLeast = 14
	winogradFew   = 4
)

// A winogradCut says how the tiles are shared.
type winogradCut struct {
	groups int  // of tiles, for each group of channels
	most   int  // tiles of the greatest
	shared bool // the threads work on one group at a time, on panels of it
}

// share chooses the groups. The sums do not depend on it.
func (w *winograd) share(threads int) winogradCut {
	most := max(min(winogradCache/(winogradProducts*w.cb*Lanes), winogradMost), winogradLeast)
	groups := ceil(w.tiles.all, most)
	if threads == 1 {
		return w.cutInto(groups, false)
	}
	even := ceil(ceil(w.g.Groups*groups, threads)*threads, w.g.Groups)
	size := w.tiles.all / even
	if size >= winogradLeast || size >= winogradFew && w.panels() < threads {
		return w.cutInto(even, false)
	}
	return w.cutInto(groups, w.g.Groups*groups < 4*threads)
}

func (w *winograd) cutInto(groups int, shared bool) winogradCut {
	groups = max(groups, 1)
	return winogradCut{groups: groups, most: ceil(w.tiles.all, groups), shared: shared}
}

func ceil(n, by int) int { return (n + by - 1) / by }

// panels counts the panels of output channels of a group of channels.
func (w *winograd) panels() int { return ceil(w.mb*Lanes, w.t.width) }

// vStep is the distance of the 36 places in V of so many tiles, an odd number
// of lines of the cache, so that they fall into different sets.
func (w *winograd) vStep(tiles int) int { return (w.cb*tiles | 1) * Lanes }

// mStep is the same of a panel of M.
func (w *winograd) mStep(tiles int) int { return (w.t.width/Lanes*tiles | 1) * Lanes }

// scratchOf counts the elements that a run on so many threads needs.
func (w *winograd) scratchOf(threads int) int {
	c := w.share(threads)
	v, m := winogradProducts*w.vStep(c.most), winogradProducts*w.mStep(c.most)
	if c.shared {
		return Lanes + v + threads*(m+winogradTemp)
	}
	return Lanes + threads*(v+m+winogradTemp)
}

// scratch is enough for smaller teams as well.
func (w *winograd) scratch(threads int) int {
	most := 0
	for n := range threads {
		most = max(most, w.scratchOf(n+1))
	}
	return most
}

// A winogradJob is a convolution on its way. Its tiles are, by phase, groups
// of tiles, or blocks of the input and panels of the output of one group.
type winogradJob struct {
	*winograd
	winogradCut
	e          *Epilogue
	low, high  float32
	clip       bool
	after      bool // there is an activation that outRows does not know
	x, u, y    []float32
	v          []float32 // shared
	scratch    []float32
	each       int // elements of a worker's scratch
	phase      winogradPhase
	group, cut int // in work if shared
}

type winogradPhase uint8

const (
	wholeGroups winogradPhase = iota
	inputBlocks
	outputPanels
)

func (w *winograd) run(team *parallel.Team, x, weights []float32, e *Epilogue, y, scratch []float32) {
	if w.tiles.all == 0 {
		return
	}
	threads := team.Threads()
	j := w.jobs.Take()
	defer w.jobs.Give(j)
	*j = winogradJob{winograd: w, winogradCut: w.share(threads), e: e, x: x, u: weights, y: y, scratch: aligned(scratch)}
	j.low, j.high, j.clip = e.bounds()
	j.after = !j.clip && e.Act != Identity
	v := winogradProducts * w.vStep(j.most)
	j.each = winogradProducts*w.mStep(j.most) + winogradTemp
	if !j.shared {
		j.each += v
		team.DoWorkers(w.g.Groups*j.groups, j)
		return
	}
	j.v, j.scratch = j.scratch[:v], j.scratch[v:]
	for i := range w.g.Groups * j.groups {
		j.group, j.cut = i/j.groups, i%j.groups
		j.phase = inputBlocks
		team.DoWorkers(w.cb, j)
		j.phase = outputPanels
		team.DoWorkers(w.panels(), j)
	}
}

// aligned returns the part of s that begins on a line of the cache.
func aligned(s []float32) []float32 {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	return s[int(-at&63)/4:]
}

// Tile does one part of the phase.
func (j *winogradJob) Tile(worker, i int) {
	s := j.scratch[worker*j.each:][:j.each]
	t, s := s[:winogradTemp], s[winogradTemp:]
	switch j.phase {
	case inputBlocks:
		j.input(j.group, i, j.groupTiles(j.cut), j.v, t)
	case outputPanels:
		j.panel(j.group, i, j.groupTiles(j.cut), j.v, s, t)
	case wholeGroups:
		n := winogradProducts * j.vStep(j.most)
		v, m := s[:n], s[n:]
		tiles := j.groupTiles(i % j.groups)
		for b := range j.cb {
			j.input(i/j.groups, b, tiles, v, t)
		}
		for p := range j.panels() {
			j.panel(i/j.groups, p, tiles, v, m, t)
		}
	}
}

// A tileSpan is some tiles, counted through all images.
type tileSpan struct{ first, n int }

// groupTiles returns the tiles of a group of tiles; sizes differ by one at most.
func (j *winogradJob) groupTiles(i int) tileSpan {
	n, rest := j.tiles.all/j.groups, j.tiles.all%j.groups
	s := tileSpan{i*n + min(i, rest), n}
	if i < rest {
		s.n++
	}
	return s
}

// A tileStrip is tiles side by side in one image.
type tileStrip struct {
	image, row, col int // in tiles
	n               int
}

// strip returns the strip that begins with tile i, of at most n tiles.
func (w *winograd) strip(i, n int) tileStrip {
	each := w.tiles.down * w.tiles.across
	s := tileStrip{image: i / each, row: i % each / w.tiles.across, col: i % w.tiles.across}
	s.n = min(n, w.tiles.across-s.col, stripTiles)
	return s
}

// input transforms a block of input channels.
func (j *winogradJob) input(group, b int, tiles tileSpan, v, t []float32) {
	v = v[b*tiles.n*Lanes:]
	for i := 0; i < tiles.n; {
		s := j.strip(tiles.first+i, tiles.n-i)
		j.inStrip(s, group*j.cb+b, t)
		j.t.inCols(s.n, t, v[i*Lanes:], j.vStep(tiles.n))
		i += s.n
	}
}

// noRow stands for the rows above and below the image.
var noRow [stripStep]float32

// inStrip transforms the rows of a strip. What lies outside the image is zero.
func (j *winogradJob) inStrip(s tileStrip, block int, t []float32) {
	height, width := j.in[0], j.in[1]
	left := s.col*winogradSide - j.left
	cols := s.n*winogradSide + 2
	from, to := max(left, 0), min(left+cols, width)
	plane := j.x[(s.image*Blocks(j.g.C)+block)*height*width*Lanes:][:height*width*Lanes]
	var x [winogradPoints][]float32
	for i := range x {
		x[i] = noRow[:]
		if h := s.row*winogradSide - j.top + i; h >= 0 && h < height {
			x[i] = plane[(h*width+from)*Lanes:]
		}
	}
	j.t.inRows(to-from, x[0], x[1], x[2], x[3], x[4], x[5], t[(from-left)*Lanes:])
	if to-from == cols {
		return
	}
	for i := range x {
		row := t[i*stripStep:][:cols*Lanes]
		clear(row[:(from-left)*Lanes])
		clear(row[(to-left)*Lanes:])
	}
}

// panel computes a panel of output channels.
func (j *winogradJob) panel(group, p int, tiles tileSpan, v, m, t []float32) {
	blocks := min(j.t.width/Lanes, j.mb-p*j.t.width/Lanes)
	u := j.u[group*j.groupWeights()+p*j.t.width*winogradProducts*j.cb*Lanes:]
	product := j.t.product
	if blocks*Lanes < j.t.width {
		product = j.t.narrow
	}
	vStep, mStep := j.vStep(tiles.n), j.mStep(tiles.n)
	size := j.cb * blocks * Lanes * Lanes
	parts := ceil(tiles.n, j.t.rows)
	step := aheadOf(blocks, parts)
	for xi := range winogradProducts {
		ux := u[xi*size:]
		for part, i := 0, 0; part < parts; part++ {
			rows := ceil(tiles.n-i, parts-part)
			product(rows, j.cb, v[xi*vStep+i*Lanes:], tiles.n*Lanes, ux, m[xi*mStep+i*Lanes:], tiles.n*Lanes, size+part*step*4*j.cb, step)
			i += rows
		}
	}
	for b := range blocks {
		j.output(group*j.mb+p*j.t.width/Lanes+b, tiles, m[b*tiles.n*Lanes:], mStep, t)
	}
}

// aheadOf returns how many elements of the next weights each of the parts of a
// product fetches in 4 of its steps: together a panel of so many blocks.
func aheadOf(blocks, parts int) int {
	step := 4 * blocks * Lanes
	for parts > 1 && step > 2*Lanes {
		parts, step = ceil(parts, 2), step/2
	}
	return step
}

// output transforms the sums of a block of output channels.
func (j *winogradJob) output(block int, tiles tileSpan, m []float32, mStep int, t []float32) {
	t, bias := t[:stripLen], t[stripLen:]
	clear(bias)
	if j.e.Bias != nil {
		copy(bias, j.e.Bias[block*Lanes:min((block+1)*Lanes, j.g.M)])
	}
	for i := 0; i < tiles.n; {
		s := j.strip(tiles.first+i, tiles.n-i)
		j.t.outCols(s.n, m[i*Lanes:], mStep, t)
		j.outStrip(s, block, bias, t)
		i += s.n
	}
}

func (j *winogradJob) outStrip(s tileStrip, block int, bias, t []float32) {
	height, width := j.out[0], j.out[1]
	h, col := s.row*winogradSide, s.col*winogradSide
	rows, cols := min(winogradSide, height-h), min(s.n*winogradSide, width-col)
	at := ((s.image*Blocks(j.g.M)+block)*height+h)*width + col
	y := j.y[at*Lanes:]
	var residual []float32
	if j.e.Residual != nil {
		residual = j.e.Residual[at*Lanes:]
	}
	j.t.outRows(cols, rows, t, bias, residual, y, width*Lanes, j.low, j.high, j.clip)
	if !j.after {
		return
	}
	for r := range rows {
		j.e.activate(y[r*width*Lanes:][:cols*Lanes])
	}
}
