package blocked

import (
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

const (
	// Tiles of a group: at most, so that the weights of a place are read from
	// the first or second cache for most of them, and at least where each
	// thread takes groups.
	winogradMost  = 56
	winogradLeast = 14
	winogradFew   = 4
	// winogradBlocks is how many blocks of channels are summed at a time, so
	// that their weights stay in the first cache for all tiles.
	winogradBlocks = 16
)

// A winogradCut says how the work is shared. The sums do not depend on it.
type winogradCut struct {
	groups int  // of tiles, for each group of channels
	most   int  // tiles of the greatest
	shared bool // the threads work on one group at a time, on chunks of its panels
	chunk  int  // panels whose products for one place follow each other, so that V is read once
}

// share cuts the work for so many threads: into groups of tiles for each, or,
// where these would be too small for so many weights, into panels.
func (w *winograd) share(threads int) winogradCut {
	c := winogradCut{groups: max(ceil(w.tiles, winogradMost), 1), chunk: w.panels()}
	if threads > 1 && w.g.Groups*c.groups < 4*threads {
		even := ceil(ceil(w.g.Groups*c.groups, threads)*threads, w.g.Groups)
		size := w.tiles / even
		if size >= winogradLeast || size >= winogradFew && w.panels() < threads {
			c.groups = even
		} else {
			c.shared, c.chunk = true, ceil(w.panels(), 2*threads)
		}
	}
	c.most = ceil(w.tiles, c.groups)
	return c
}

func ceil(n, by int) int { return (n + by - 1) / by }

// panels counts the panels of output channels of a group of channels.
func (w *winograd) panels() int { return ceil(w.mb*Lanes, w.t.width) }

// vStep is the distance of the places in V of so many tiles, an odd number of
// lines of the cache, so that they fall into different sets.
func (w *winograd) vStep(tiles int) int { return (w.cb*tiles | 1) * Lanes }

// mStep is the same of a chunk of M.
func (w *winograd) mStep(tiles, chunk int) int { return (w.t.width/Lanes*chunk*tiles | 1) * Lanes }

// scratchOf counts the elements that a run on so many threads needs.
func (w *winograd) scratchOf(threads int) int {
	c := w.share(threads)
	v, m := w.products*w.vStep(c.most), w.products*w.mStep(c.most, c.chunk)
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

// A winogradJob is a convolution on its way, a task. What it hands out is, by
// phase, groups of tiles, or blocks of the input and chunks of the output of
// one group.
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
	outputChunks
)

func (w *winograd) run(team *parallel.Team, x, weights []float32, e *Epilogue, y, scratch []float32) {
	if w.tiles == 0 {
		return
	}
	if int64(w.g.N)*int64(w.g.Pixels())*int64(w.g.Weights()) < w.t.alone {
		team = nil
	}
	threads := team.Threads()
	j := w.jobs.Take()
	defer w.jobs.Give(j)
	*j = winogradJob{winograd: w, winogradCut: w.share(threads), e: e, x: x, u: weights, y: y, scratch: aligned(scratch)}
	j.low, j.high, j.clip = e.bounds()
	j.after = !j.clip && e.Act != Identity
	v := w.products * w.vStep(j.most)
	j.each = w.products*w.mStep(j.most, j.chunk) + winogradTemp
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
		j.phase = outputChunks
		team.DoWorkers(ceil(w.panels(), j.chunk), j)
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
	case outputChunks:
		j.output(j.group, i, j.groupTiles(j.cut), j.v, s, t)
	case wholeGroups:
		n := j.products * j.vStep(j.most)
		v, m := s[:n], s[n:]
		tiles := j.groupTiles(i % j.groups)
		for b := range j.cb {
			j.input(i/j.groups, b, tiles, v, t)
		}
		j.output(i/j.groups, 0, tiles, v, m, t)
	}
}

// A tileSpan is some tiles, counted through all images.
type tileSpan struct{ first, n int }

// groupTiles returns the tiles of a group of tiles; sizes differ by one at most.
func (j *winogradJob) groupTiles(i int) tileSpan {
	n, rest := j.tiles/j.groups, j.tiles%j.groups
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
	each := w.down * w.across
	s := tileStrip{image: i / each, row: i % each / w.across, col: i % w.across}
	n = min(n, w.across-s.col)
	s.n = ceil(n, ceil(n, stripTiles))
	return s
}

// input transforms a block of input channels.
func (j *winogradJob) input(group, b int, tiles tileSpan, v, t []float32) {
	v = v[b*tiles.n*Lanes:]
	for i := 0; i < tiles.n; {
		s := j.strip(tiles.first+i, tiles.n-i)
		j.inStrip(s, group*j.cb+b, t)
		j.inCols(s.n, t, v[i*Lanes:], j.vStep(tiles.n))
		i += s.n
	}
}

// noRow stands for the rows above and below the image.
var noRow [stripStep]float32

// inStrip transforms the rows of a strip. What lies outside the image is zero.
func (j *winogradJob) inStrip(s tileStrip, block int, t []float32) {
	height, width := j.in[0], j.in[1]
	left := s.col*j.side - j.left
	cols := s.n*j.side + 2
	from, to := max(left, 0), min(left+cols, width)
	plane := j.x[(s.image*Blocks(j.g.C)+block)*height*width*Lanes:][:height*width*Lanes]
	var x [winogradPoints][]float32
	for i := range j.points {
		x[i] = noRow[:]
		if h := s.row*j.side - j.top + i; h >= 0 && h < height {
			x[i] = plane[(h*width+from)*Lanes:]
		}
	}
	j.inRows(to-from, x[0], x[1], x[2], x[3], x[4], x[5], t[(from-left)*Lanes:])
	if to-from == cols {
		return
	}
	for i := range j.points {
		row := t[i*stripStep:][:cols*Lanes]
		clear(row[:(from-left)*Lanes])
		clear(row[(to-left)*Lanes:])
	}
}

// A panelPlace is one place of a panel of output channels.
type panelPlace struct{ panel, place int }

// output computes a chunk of the panels of output channels.
func (j *winogradJob) output(group, chunk int, tiles tileSpan, v, m, t []float32) {
	first := chunk * j.chunk
	last := min(first+j.chunk, j.panels())
	for place := range j.products {
		for p := first; p < last; p++ {
			at, next := panelPlace{p, place}, panelPlace{p + 1, place}
			if next.panel == last {
				next = panelPlace{first, place + 1}
			}
			j.multiply(group, at, next, tiles, v, m[(p-first)*j.t.width*tiles.n:])
		}
	}
	per := j.t.width / Lanes
	for b := first * per; b < min(last*per, j.mb); b++ {
		j.outBlock(group*j.mb+b, tiles, m[(b-first*per)*tiles.n*Lanes:], t)
	}
}

// weightsAt returns where the weights of a place of a panel begin.
func (w *winograd) weightsAt(group int, p panelPlace) int {
	return group*w.groupWeights() + (p.place*w.mb*Lanes+p.panel*w.t.width)*w.cb*Lanes
}

// multiply computes the products of one place of a panel. Meanwhile it fetches
// the weights of the next, if there is one.
func (j *winogradJob) multiply(group int, p, next panelPlace, tiles tileSpan, v, m []float32) {
	blocks := min(j.t.width/Lanes, j.mb-p.panel*j.t.width/Lanes)
	product := j.t.product
	if blocks*Lanes < j.t.width {
		product = j.t.narrow
	}
	u := j.u[j.weightsAt(group, p):]
	ahead := j.weightsAt(group, next) - j.weightsAt(group, p)
	v, m = v[p.place*j.vStep(tiles.n):], m[p.place*j.mStep(tiles.n, j.chunk):]
	parts := ceil(tiles.n, j.t.rows)
	rows := ceil(tiles.n, parts)
	full := tiles.n - parts*(rows-1) // parts of so many rows; the others have one less
	step := ceil(4*blocks*Lanes, parts)
	for b := 0; b < j.cb; b += winogradBlocks {
		n := min(j.cb-b, winogradBlocks)
		u, v := u[b*Lanes*blocks*Lanes:], v[b*tiles.n*Lanes:]
		product(full, rows, n, v, tiles.n*Lanes, u, m, tiles.n*Lanes, ahead, step, b > 0)
		if full < parts {
			i := full * rows * Lanes
			product(parts-full, rows-1, n, v[i:], tiles.n*Lanes, u, m[i:], tiles.n*Lanes, ahead+full*step*4*n, step, b > 0)
		}
	}
}

// outBlock transforms the sums of a block of output channels.
func (j *winogradJob) outBlock(block int, tiles tileSpan, m, t []float32) {
	t, bias := t[:stripLen], t[stripLen:]
	clear(bias)
	if j.e.Bias != nil {
		copy(bias, j.e.Bias[block*Lanes:min((block+1)*Lanes, j.g.M)])
	}
	for i := 0; i < tiles.n; {
		s := j.strip(tiles.first+i, tiles.n-i)
		j.outCols(s.n, m[i*Lanes:], j.mStep(tiles.n, j.chunk), t)
		j.outStrip(s, block, bias, t)
		i += s.n
	}
}

func (j *winogradJob) outStrip(s tileStrip, block int, bias, t []float32) {
	height, width := j.out[0], j.out[1]
	h, col := s.row*j.side, s.col*j.side
	rows, cols := min(j.side, height-h), min(s.n*j.side, width-col)
	at := ((s.image*Blocks(j.g.M)+block)*height+h)*width + col
	y := j.y[at*Lanes:]
	var residual []float32
	if j.e.Residual != nil {
		residual = j.e.Residual[at*Lanes:]
	}
	j.outRows(cols, rows, t, bias, residual, y, width*Lanes, j.low, j.high, j.clip)
	if !j.after {
		return
	}
	for r := range rows {
		j.e.activate(y[r*width*Lanes:][:cols*Lanes])
	}
}
