package blocked

// cached is the elements that stay in the second cache beside others.
const cached = 1 << 18

// directJob is one convolution on its way: a task whose tiles are a few tiles
// of pixels by a few panels of output channels.
type directJob struct {
	*direct
	x, w, y []float32
	e       Epilogue

	perTask        [2]int // tiles of pixels and panels of a task
	chunks, shares int    // how many tasks that makes of the tiles and of the panels
	panelsFirst    bool   // tasks that follow each other share their panels
}

// share cuts the work into tasks of about 20 microseconds. Weights are used for
// all pixels, and those of the next panel fetched meanwhile, unless the input
// is too large to stay in the cache until then: weights, which were read one
// run ago, come from memory, while the input was written just before.
func (j *directJob) share(threads int) {
	tiles, panels := j.images*j.tiles, j.groups*j.panels
	each := max(j.work/j.direct.tiles, 1)
	grain := j.t.grain
	if threads > 1 {
		grain = min(grain, j.images*panels*j.work/(6*threads))
	}
	input := j.images * j.xImage
	j.panelsFirst = input < cached || j.packedWeights() > input
	n := max(grain/each, 1)
	if j.panelsFirst {
		j.perTask[0] = min(n, tiles)
		j.perTask[1] = min(max(n/tiles, 1), panels)
	} else {
		j.perTask[1] = min(n, panels)
		j.perTask[0] = min(max(n/panels, 1), tiles)
	}
	j.chunks = (tiles + j.perTask[0] - 1) / j.perTask[0]
	j.shares = (panels + j.perTask[1] - 1) / j.perTask[1]
}

func (j *directJob) tasks() int { return j.chunks * j.shares }

// Tile computes a task.
func (j *directJob) Tile(i int) { j.each(i, j.tilesOf) }

// each calls f for the panels of a task with its range of tiles.
func (j *directJob) each(i int, f func(panel, first, end int)) {
	chunk, share := i/j.shares, i%j.shares
	if j.panelsFirst {
		chunk, share = i%j.chunks, i/j.chunks
	}
	first := chunk * j.perTask[0]
	end := min(first+j.perTask[0], j.images*j.tiles)
	for panel := share * j.perTask[1]; panel < min((share+1)*j.perTask[1], j.groups*j.panels); panel++ {
		f(panel, first, end)
	}
}

// tilesOf computes some tiles of a panel.
func (j *directJob) tilesOf(panel, first, end int) {
	group, m := panel/j.panels, panel%j.panels*j.t.width
	width := j.t.panel(m, j.mg)
	t := directTile{yBlock: 4 * j.yBlock}
	t.low, t.high, t.clip = j.e.bounds()
	j.channelLoop(&t)
	if j.e.Bias != nil {
		t.bias = j.e.Bias[group*j.mg+m:][:width]
	}
	w := j.w[group*j.panelWeights(Blocks(j.mg)*Lanes)+j.panelWeights(m):]
	x0 := group * (j.cg / Lanes) * j.xPixels
	y0 := (group*(j.mg/Lanes) + m/Lanes) * j.yBlock
	fetch := j.panelsFirst && panel < j.groups*j.panels-1
	image, in := first/j.tiles, first%j.tiles
	for left := end - first; left > 0; image, in = image+1, 0 {
		rest := in
		for r := range j.regions {
			r := &j.regions[r]
			n := min(r.tiles-rest, left)
			if n <= 0 {
				rest -= r.tiles
				continue
			}
			j.enter(&t, r, j.columnBytes(width))
			t.w = w[r.w*width:]
			for i, end := rest, rest+n; i < end; {
				count, x, y := r.place(&t, i, end-i)
				i += count
				t.wFetch = 0
				if ahead := r.fetched + (i-count)*r.fetch; fetch && image == 0 && ahead < j.taps*j.steps {
					t.wFetch = 4 * width * (j.taps*j.steps + ahead)
				}
				j.compute(&t, width, image*j.xImage+x0+x, image*j.yImage+y0+y)
			}
			left, rest = left-n, 0
		}
	}
}

// channelLoop sets how a tile goes through the channels of a tap.
func (j *directJob) channelLoop(t *directTile) {
	t.channels, t.channelStep = j.steps/channelUnit, 4*(j.xPixels-Lanes)
	if j.plain {
		t.channels, t.channelStep = j.steps, 4*j.xPixels
	}
}

// enter sets what all tiles of a region share; the weights of a column of taps
// have so many bytes.
func (p *direct) enter(t *directTile, r *region, column int) {
	t.xPixel, t.yPixel = 4*r.xAlong, 4*r.yAlong
	t.rows, t.rowStep = r.rows, 4*p.rowStep
	t.cols, t.colStep = r.cols, 4*p.colStep
	t.wSkip = (p.kernel[1] - r.cols) * column
}

// columnBytes is the bytes of a column of taps in the weights of a panel: of
// all channels, or of one if the input is plain.
func (p *direct) columnBytes(width int) int {
	if p.plain {
		return 4 * width
	}
	return 4 * width * p.steps
}

// compute runs a tile whose first elements are those of x and y.
func (j *directJob) compute(t *directTile, width, x, y int) {
	t.x, t.y = j.x[x:], j.y[y:]
	if j.e.Residual != nil {
		t.residual = j.e.Residual[y:]
	}
	j.t.run(t, width, j.plain)
	if !t.clip && j.e.Act != Identity {
		j.activate(t, width)
	}
}

// activate applies the activation to the results of a tile.
func (j *directJob) activate(t *directTile, width int) {
	pixels := t.repeats * t.pixels
	for b := range width / Lanes {
		y := t.y[b*j.yBlock:]
		if t.yPixel == 4*Lanes && t.ySecond == (t.pixels+1)/2*t.yPixel && t.yNext == t.pixels*t.yPixel {
			j.e.activate(y[:pixels*Lanes])
			continue
		}
		for i := range pixels {
			_, at := t.pixel(i)
			j.e.activate(y[at/4:][:Lanes])
		}
	}
}
